// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// The bytes of a request that arrive in chunks, on the loop thread: what a feeder brought and curl has not taken.
struct UploadFlow {
    /// What curl is told when it asks for bytes.
    enum Step {
        case copied(Int)
        case wait
        case end
        case fail(TransferError)
    }

    private static let capacity = 512 * 1024
    private let length: Int?
    private var chunks: [[UInt8]] = []
    private var offset = 0
    private var waiting = 0
    private var taken = 0
    private var outcome: Result<Void, TransferError>?
    /// Whether curl waits to be told of new bytes.
    private(set) var isPaused = false
    /// Finished when the feeder may bring more.
    private(set) var room: OneShot<Void>?

    init(length: Int?) {
        self.length = length
    }

    mutating func append(_ chunk: [UInt8]) {
        guard !chunk.isEmpty else { return }
        chunks.append(chunk)
        waiting += chunk.count
    }

    mutating func finish(_ outcome: Result<Void, TransferError>) {
        self.outcome = outcome
    }

    /// Tells whether the feeder must wait, and on what.
    mutating func needsRoom() -> OneShot<Void>? {
        guard waiting > Self.capacity else { return nil }
        let room = OneShot<Void>()
        self.room = room
        return room
    }

    mutating func noteResumed() {
        isPaused = false
    }

    /// Fills curl's buffer.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Step {
        guard let first = chunks.first else {
            switch outcome {
            case nil:
                isPaused = true
                return .wait
            case .failure(let error):
                return .fail(error)
            case .success:
                guard length == nil || length == taken else {
                    return .fail(TransferError(.invalid, "the body has fewer bytes than its length says"))
                }
                return .end
            }
        }
        let count = min(buffer.count, first.count - offset)
        guard length.map({ taken + count <= $0 }) ?? true else {
            return .fail(TransferError(.invalid, "the body has more bytes than its length says"))
        }
        first.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
        taken += count
        waiting -= count
        offset += count
        if offset == first.count {
            chunks.removeFirst()
            offset = 0
        }
        if waiting <= Self.capacity / 2 {
            room?.finish(.success(()))
            room = nil
        }
        return .copied(count)
    }
}
