// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Workflow

/// A vector of length 1, padded with zeros to whole SIMD lanes.
struct UnitVector: Sendable, Hashable {
    /// The numbers that count.
    let dimension: Int
    /// The numbers, 16 a lane.
    let lanes: [SIMD16<Float>]

    /// How many lanes a vector of this dimension takes.
    static func laneCount(_ dimension: Int) -> Int { (dimension + 15) / 16 }

    /// Makes one of numbers of any length but zero; nil when it is empty, zero or not finite.
    init?(_ numbers: [Double]) {
        guard numbers.allSatisfy(\.isFinite), let largest = numbers.map({ abs($0) }).max(), largest > 0 else {
            return nil
        }
        // Scaled first, so that the squares of very large or small numbers stay numbers.
        let length = numbers.reduce(0) { $0 + ($1 / largest) * ($1 / largest) }.squareRoot()
        self.init(unit: numbers.map { Float($0 / largest / length) })
    }

    /// Takes numbers that have length 1 already.
    init(unit numbers: [Float]) {
        dimension = numbers.count
        var lanes = [SIMD16<Float>](repeating: .zero, count: Self.laneCount(numbers.count))
        for (index, number) in numbers.enumerated() { lanes[index >> 4][index & 15] = number }
        self.lanes = lanes
    }

    /// Reads a vector from a job's input.
    ///
    /// - Throws: `JobError` that names the field.
    init(_ json: JSON?, field: String) throws(JobError) {
        guard let elements = json?.array, !elements.isEmpty else {
            throw JobError(.invalidInput, "the vector is missing: a list of numbers is wanted", field: field)
        }
        let numbers = elements.compactMap(\.double)
        guard numbers.count == elements.count, let vector = UnitVector(numbers) else {
            throw JobError(.invalidInput, "the vector is not a list of finite numbers that are not all 0", field: field)
        }
        self = vector
    }

    /// The numbers without the padding.
    var numbers: [Float] { (0..<dimension).map { lanes[$0 >> 4][$0 & 15] } }
}
