// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import MediaStore
internal import Synchronization

/// Bytes that are made while they are read, so that large media never lie in memory.
public struct MediaSource: Sendable {
    /// Says that a source broke off on purpose.
    public struct Broken: Error {}

    private let size: Int

    /// Makes a source of `size` bytes.
    public init(size: Int) {
        self.size = size
    }

    /// The bytes in chunks of odd sizes; with `limit`, an error after that many.
    public func stream(breakingAt limit: Int? = nil) -> ByteStream {
        let position = Counter()
        return ByteStream {
            let start = position.value.withLock { $0 }
            if let limit, start >= limit { throw Broken() }
            let count = min(size - start, 100_003)
            guard count > 0 else { return nil }
            position.value.withLock { $0 += count }
            return bytes(start, count)
        }
    }

    /// Tells whether a stream holds exactly these bytes, from `offset` on.
    public func matches(_ stream: ByteStream, from offset: Int) async throws -> Bool {
        var position = offset
        for try await chunk in stream {
            guard position + chunk.count <= size, chunk == bytes(position, chunk.count) else { return false }
            position += chunk.count
        }
        return position == size
    }

    /// A stream of one chunk.
    public static func stream(of bytes: [UInt8]) -> ByteStream {
        ByteStream {
            $0.yield(bytes)
            $0.finish()
        }
    }

    /// All bytes of a stream.
    public static func collect(_ stream: ByteStream) async throws -> [UInt8] {
        var all: [UInt8] = []
        for try await chunk in stream { all += chunk }
        return all
    }

    private static let pattern: [UInt8] = (0..<131_071 + 262_144).map {
        UInt8(truncatingIfNeeded: ($0 % 131_071) &* 2_654_435_761 >> 7)
    }

    private func bytes(_ start: Int, _ count: Int) -> [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(count)
        var done = 0
        while done < count {
            let from = (start + done) % 131_071
            let length = min(count - done, 262_144)
            all += Self.pattern[from..<from + length]
            done += length
        }
        return all
    }
}

private final class Counter: Sendable {
    let value = Mutex(0)
}
