// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// Reads a gallery's file from front to back.
struct GalleryReader {
    private let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func take(_ count: Int) throws(GalleryFileError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else { throw GalleryFileError("it ends at byte \(bytes.count)") }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    mutating func number() throws(GalleryFileError) -> Int {
        Int(try take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }

    mutating func text() throws(GalleryFileError) -> String {
        let length = try number()
        return String(decoding: try take(length), as: UTF8.self)
    }

    mutating func id() throws(GalleryFileError) -> MeshID {
        guard let id = MeshID(bytes: try take(16)) else { throw GalleryFileError("an id is wrong") }
        return id
    }

    mutating func vector(_ dimension: Int) throws(GalleryFileError) -> UnitVector {
        let raw = try take(dimension * 4)
        let numbers = (0..<dimension).map { index -> Float in
            let start = raw.startIndex + index * 4
            let low = UInt32(raw[start]) | UInt32(raw[start + 1]) << 8
            let pattern = low | UInt32(raw[start + 2]) << 16 | UInt32(raw[start + 3]) << 24
            return Float(bitPattern: pattern)
        }
        return UnitVector(unit: numbers)
    }
}
