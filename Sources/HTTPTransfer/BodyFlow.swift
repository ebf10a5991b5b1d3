// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Synchronization

/// The bytes of an answer on their way from the loop thread to whoever reads them: at most `capacity` wait here.
final class BodyFlow: Sendable {
    /// What a reader finds.
    enum Next {
        /// Bytes, and whether the transfer must be told that there is room again.
        case bytes([UInt8], mustResume: Bool)
        case end
    }

    private struct State {
        var buffer: [UInt8] = []
        var isPaused = false
        var outcome: Result<Void, TransferError>?
        var waiter: OneShot<Void>?
    }

    private static let capacity = 512 * 1024
    private let state = Mutex(State())

    /// Takes bytes from the loop thread; false when there is no room and the transfer has to pause.
    func push(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let (taken, waiter) = state.withLock { state -> (Bool, OneShot<Void>?) in
            guard state.buffer.isEmpty || state.buffer.count + bytes.count <= Self.capacity else {
                state.isPaused = true
                return (false, nil)
            }
            state.buffer.append(contentsOf: bytes)
            defer { state.waiter = nil }
            return (true, state.waiter)
        }
        waiter?.finish(.success(()))
        return taken
    }

    /// Ends the body; the first call counts, and bytes that wait are still read.
    func finish(_ outcome: Result<Void, TransferError>) {
        let waiter = state.withLock { state -> OneShot<Void>? in
            guard state.outcome == nil else { return nil }
            state.outcome = outcome
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.finish(.success(()))
    }

    var isFinished: Bool { state.withLock { $0.outcome != nil } }

    /// Waits for the next bytes; one reader at a time.
    func next() async throws -> Next {
        while true {
            let (found, waiter) = try state.withLock { state -> (Next?, OneShot<Void>?) in
                if !state.buffer.isEmpty {
                    let bytes = state.buffer
                    state.buffer = []
                    defer { state.isPaused = false }
                    return (.bytes(bytes, mustResume: state.isPaused), nil)
                }
                if let outcome = state.outcome {
                    try outcome.get()
                    return (.end, nil)
                }
                let waiter = OneShot<Void>()
                state.waiter = waiter
                return (nil, waiter)
            }
            if let found { return found }
            try await waiter?.value()
        }
    }
}
