// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Values of one kind, in their order.
struct Percentiles: Sendable, Hashable {
    /// The values, ascending.
    let values: [Double]

    init(_ values: some Sequence<Double>) { self.values = values.sorted() }

    /// How many there are.
    var count: Int { values.count }

    /// The largest; nil without any.
    var max: Double? { values.last }

    /// The smallest value that is at least as large as this part of all (nearest rank); nil without any.
    ///
    /// - Parameter part: 0 to 1.
    func at(_ part: Double) -> Double? {
        guard !values.isEmpty else { return nil }
        let rank = Int((part * Double(values.count)).rounded(.up))
        return values[Swift.min(Swift.max(rank, 1), values.count) - 1]
    }

    /// The values of several runs together.
    static func + (left: Percentiles, right: Percentiles) -> Percentiles { Percentiles(left.values + right.values) }
}
