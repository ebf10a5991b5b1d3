// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Whether a mesh holds the same at the end of a soak as early in it.
///
/// The first quarter is left out: caches and pools fill up then. A straight line is laid through the rest (least
/// squares), and what it grows by from its first minute to its last is the growth.
struct SoakTrend: Sendable {
    /// How many minutes a soak must have to be judged.
    static let least = 8
    /// What may be grown by: more than this part and more than these amounts together is growth.
    static let (part, mebibytes, files) = (0.1, 8.0, 16.0)

    /// What grew, with its figures; empty when everything is flat.
    let grown: [String]
    private let minutes: Int

    /// Judges the minutes of a soak, in their order.
    init(_ minutes: [SoakMinute]) {
        self.minutes = minutes.count
        guard minutes.count >= Self.least else {
            grown = []
            return
        }
        let judged = Array(minutes.dropFirst(minutes.count / 4))
        let kinds = Set(judged.flatMap { $0.memory.keys }).sorted()
        let memory = kinds.compactMap { kind in
            Self.growth(of: judged.map { $0.memory[kind, default: 0] }, above: Self.mebibytes)
                .map { "memory of \(kind): \($0) MiB" }
        }
        let files = Self.growth(of: judged.map { Double($0.descriptors) }, above: Self.files).map { "files: \($0)" }
        grown = memory + [files].compactMap(\.self)
    }

    /// What a reader is told at the end.
    var sentence: String {
        guard minutes >= Self.least else {
            return "\(minutes) minutes are too few to say whether memory and files are flat; it takes \(Self.least)."
        }
        guard grown.isEmpty else { return "Not flat over the last three quarters: \(grown.joined(separator: "; "))." }
        return "Memory and files are flat over the last three quarters of \(minutes) minutes."
    }

    /// From where to where the values grew; nil when they did not by more than is allowed.
    static func growth(of values: [Double], above least: Double) -> String? {
        guard values.count > 1 else { return nil }
        let (middle, mean) = (Double(values.count - 1) / 2, values.reduce(0, +) / Double(values.count))
        var (both, squares) = (0.0, 0.0)
        for (index, value) in values.enumerated() {
            both += (Double(index) - middle) * (value - mean)
            squares += (Double(index) - middle) * (Double(index) - middle)
        }
        let (first, last) = (mean - both / squares * middle, mean + both / squares * middle)
        guard last - first > least, last - first > part * max(first, 0) else { return nil }
        func tenth(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
        return "from \(tenth(first)) to \(tenth(last))"
    }
}
