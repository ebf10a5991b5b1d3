// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The bytes of a request that are all there, as curl asks for them: read where they are, without a copy.
struct UploadBytes {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Fills curl's buffer; the count of bytes, 0 at the end.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, bytes.count - offset)
        bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
        offset += count
        return count
    }

    /// Goes on from another place, as curl wants it when a kept connection turns out to be closed.
    mutating func seek(to place: Int) -> Bool {
        guard (0...bytes.count).contains(place) else { return false }
        offset = place
        return true
    }
}
