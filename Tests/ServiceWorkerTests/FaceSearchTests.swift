// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceWorker

@Suite struct FaceSearchTests {
    @Test("Search finds what comparing everything finds", arguments: [1, 7, 16, 33, 128, 512])
    func agreesWithBruteForce(dimension: Int) async throws {
        var generator = SeededGenerator(seed: UInt64(dimension))
        func numbers() -> [Double] { (0..<dimension).map { _ in Double.random(in: -1...1, using: &generator) } }
        var section = GallerySection(dimension: dimension)
        var faces: [(name: String, id: MeshID, vector: UnitVector)] = []
        for index in 0..<500 {
            faces.append(("person \(index % 120)", MeshID(), try #require(UnitVector(numbers()))))
        }
        section.append(faces)
        let query = try #require(UnitVector(numbers()))
        var best: [String: Double] = [:]
        for face in faces {
            let score = zip(face.vector.numbers, query.numbers).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            best[face.name] = max(best[face.name] ?? -2, score)
        }
        let expected = best.sorted { $0.value > $1.value }.prefix(10)
        let found = try await section.search(query, top: 10)
        #expect(found.count == 10)
        #expect(Set(found.map(\.name)).count == 10)
        for (match, wanted) in zip(found, expected) { #expect(abs(Double(match.score) - wanted.value) < 1e-4) }
    }

    @Test("Nothing enrolled, one face, and more asked for than there is")
    func edges() async throws {
        let vector = try #require(UnitVector([3, 4]))
        #expect(try await GallerySection(dimension: 2).search(vector, top: 5).isEmpty)
        var section = GallerySection(dimension: 2)
        section.append([(name: "a", id: MeshID(), vector: vector)])
        let found = try await section.search(vector, top: 100)
        #expect(found.count == 1)
        #expect(abs((found.first?.score ?? 0) - 1) < 1e-6)
        #expect(UnitVector([]) == nil)
        #expect(UnitVector([0, 0]) == nil)
        #expect(UnitVector([.infinity, 1]) == nil)
        #expect(UnitVector([1e-300, 1e-300]) != nil)
    }

    @Test("A snapshot survives its file; a damaged file is refused")
    func roundTrip() throws {
        var snapshot = GallerySnapshot()
        var section = GallerySection(dimension: 3)
        section.append([
            (name: "Zoë", id: MeshID(), vector: try #require(UnitVector([1, 2, 3]))),
            (name: "b", id: MeshID(), vector: try #require(UnitVector([3, 2, 1]))),
        ])
        snapshot.sections["m"] = section
        snapshot.version = 4
        let bytes = snapshot.bytes
        #expect(try GallerySnapshot(version: 4, bytes: bytes) == snapshot)
        for count in [0, 4, 9, 20, bytes.count - 1] {
            #expect(throws: GalleryFileError.self) {
                _ = try GallerySnapshot(version: 1, bytes: Array(bytes.prefix(count)))
            }
        }
    }
}
