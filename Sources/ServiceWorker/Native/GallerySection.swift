// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// The enrolled faces of one model: names, ids, and vectors side by side in memory.
struct GallerySection: Sendable, Hashable {
    /// One person that looks alike.
    struct Match: Sendable, Hashable {
        var name: String
        var id: MeshID
        var score: Float
    }

    /// The dimension of its vectors.
    let dimension: Int
    /// The people; each name once.
    private(set) var people: [String] = []
    /// The person of each face.
    private(set) var personOfFace: [Int] = []
    /// The id of each face: the job that enrolled it.
    private(set) var ids: [MeshID] = []
    /// The faces' vectors, one after the other, each padded to whole lanes.
    private(set) var lanes: [SIMD16<Float>] = []

    init(dimension: Int) {
        self.dimension = dimension
    }

    /// How many faces there are.
    var count: Int { ids.count }

    /// Adds faces; `faces` as they are looked up by name only once.
    mutating func append(_ faces: some Sequence<(name: String, id: MeshID, vector: UnitVector)>) {
        var positions = Dictionary(uniqueKeysWithValues: people.enumerated().map { ($1, $0) })
        for face in faces {
            let person = positions[face.name] ?? people.count
            if person == people.count {
                positions[face.name] = person
                people.append(face.name)
            }
            personOfFace.append(person)
            ids.append(face.id)
            lanes += face.vector.lanes
        }
    }

    /// A copy without the faces of a name.
    func without(name: String) -> GallerySection {
        var rest = GallerySection(dimension: dimension)
        rest.append((0..<count).lazy.filter { people[personOfFace[$0]] != name }.map { face($0) })
        return rest
    }

    /// One face.
    func face(_ index: Int) -> (name: String, id: MeshID, vector: UnitVector) {
        let width = UnitVector.laneCount(dimension)
        let numbers = (0..<dimension).map { lanes[index * width + $0 >> 4][$0 & 15] }
        return (people[personOfFace[index]], ids[index], UnitVector(unit: numbers))
    }

    /// The `top` people whose best face is most like the vector, best first; equals by name.
    ///
    /// Exact: every face is compared. It lets others run now and then and ends early when the task is cancelled.
    func search(_ vector: UnitVector, top: Int) async throws(CancellationError) -> [Match] {
        var best = [(score: Float, face: Int)](repeating: (-.infinity, -1), count: people.count)
        let chunk = 4096
        var start = 0
        while start < count {
            let end = min(count, start + chunk)
            scan(start..<end, against: vector, into: &best)
            start = end
            if start < count { await Task.yield() }
            if Task.isCancelled { throw CancellationError() }
        }
        return rank(best, top: top)
    }

    private func scan(_ faces: Range<Int>, against vector: UnitVector, into best: inout [(score: Float, face: Int)]) {
        let width = UnitVector.laneCount(dimension)
        vector.lanes.withUnsafeBufferPointer { query in
            lanes.withUnsafeBufferPointer { all in
                for face in faces {
                    let base = face * width
                    // Two sums at once: an addition need not wait for the one before it.
                    var even = SIMD16<Float>.zero
                    var odd = SIMD16<Float>.zero
                    var lane = 0
                    while lane + 1 < width {
                        even += all[base + lane] * query[lane]
                        odd += all[base + lane + 1] * query[lane + 1]
                        lane += 2
                    }
                    if lane < width { even += all[base + lane] * query[lane] }
                    let score = (even + odd).sum()
                    if score > best[personOfFace[face]].score { best[personOfFace[face]] = (score, face) }
                }
            }
        }
    }

    private func rank(_ best: [(score: Float, face: Int)], top: Int) -> [Match] {
        guard top > 0 else { return [] }
        func isBefore(_ left: Int, _ right: Int) -> Bool {
            best[left].score != best[right].score
                ? best[left].score > best[right].score : people[left] < people[right]
        }
        var ranked: [Int] = []
        for person in people.indices where best[person].face >= 0 {
            if ranked.count == top, let last = ranked.last, !isBefore(person, last) { continue }
            let place = ranked.firstIndex { isBefore(person, $0) } ?? ranked.count
            ranked.insert(person, at: place)
            if ranked.count > top { ranked.removeLast() }
        }
        return ranked.map { person in
            // Rounding may carry a cosine a hair beyond 1.
            let score = max(-1, min(1, best[person].score))
            return Match(name: people[person], id: ids[best[person].face], score: score)
        }
    }
}
