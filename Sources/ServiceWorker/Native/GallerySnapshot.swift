// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// One version of the gallery, and its file.
///
/// The file: `MALLAGA1`; the number of models; per model its name, dimension and faces; per face its name and the id of
/// 16 bytes, then the vectors one after the other. Numbers are little-endian (lengths UInt32, vectors Float32); texts
/// are UTF-8 behind their length.
struct GallerySnapshot: Sendable, Hashable {
    /// Its version; 0 for the empty one that is stored nowhere.
    var version = 0
    /// The faces by model.
    var sections: [String: GallerySection] = [:]

    private static let magic = Array("MALLAGA1".utf8)

    init() {}

    /// How many faces there are.
    var size: Int { sections.values.reduce(0) { $0 + $1.count } }

    /// Whether a job has enrolled a face already.
    func holds(_ id: MeshID) -> Bool { sections.values.contains { $0.ids.contains(id) } }

    /// The file's bytes.
    var bytes: [UInt8] {
        var bytes = Self.magic
        func put(_ number: Int) { withUnsafeBytes(of: UInt32(number).littleEndian) { bytes += $0 } }
        func put(_ text: String) {
            put(text.utf8.count)
            bytes += text.utf8
        }
        put(sections.count)
        for (model, section) in sections.sorted(by: { $0.key < $1.key }) {
            put(model)
            put(section.dimension)
            put(section.count)
            for index in 0..<section.count {
                put(section.people[section.personOfFace[index]])
                bytes += section.ids[index].bytes
            }
            for index in 0..<section.count {
                for number in section.face(index).vector.numbers { put(Int(number.bitPattern)) }
            }
        }
        return bytes
    }

    /// Reads a file.
    ///
    /// - Throws: ``GalleryFileError`` when it is damaged.
    init(version: Int, bytes: [UInt8]) throws(GalleryFileError) {
        self.version = version
        var reader = GalleryReader(bytes: bytes)
        guard try reader.take(Self.magic.count) == Self.magic[...] else { throw GalleryFileError("not a gallery") }
        for _ in 0..<(try reader.number()) {
            let model = try reader.text()
            let dimension = try reader.number()
            let count = try reader.number()
            guard (1...65_536).contains(dimension), count <= bytes.count / dimension else {
                throw GalleryFileError("\(count) vectors of \(dimension) numbers can't be in \(bytes.count) bytes")
            }
            var names: [(String, MeshID)] = []
            for _ in 0..<count { names.append((try reader.text(), try reader.id())) }
            var section = GallerySection(dimension: dimension)
            var faces: [(name: String, id: MeshID, vector: UnitVector)] = []
            for (name, id) in names { faces.append((name, id, try reader.vector(dimension))) }
            section.append(faces)
            sections[model] = section
        }
    }
}
