// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The figures of many runs, as Markdown.
struct CampaignReport: Sendable {
    let records: [RunRecord]

    /// What a reader wants first, then the faults, then the times.
    var text: String {
        [summary, "## Faults\n\n" + faults, "## Times\n\n" + times].joined(separator: "\n\n") + wrong
    }

    private var summary: String {
        let ends = sums(records.map(\.verdicts))
        let tasks = ends.values.reduce(0, +)
        let words = ends.sorted { $0.value > $1.value }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        let faultCount = sums(records.map(\.faults)).values.reduce(0, +)
        let counts = sums(records.map(\.counts)).sorted { $0.key < $1.key }.map { "\n| \($0.key) | \($0.value) |" }
        let bad = records.count { !$0.contradictions.isEmpty }
        return """
            | | |
            |---|---|
            | runs | \(records.count) |
            | seeds | \(Self.ranges(records.map(\.seed))) |
            | faults | \(faultCount) |
            | tasks | \(tasks): \(words) |
            | runs with a contradiction | \(bad) |\(counts.joined())
            """
    }

    private var faults: String {
        let rows = sums(records.map(\.faults)).sorted { $0.key < $1.key }.map { "| \($0.key) | \($0.value) |" }
        return (["| fault | times |", "|---|---|"] + rows).joined(separator: "\n")
    }

    private var times: String {
        var values: [String: [Double]] = [:]
        for record in records { values.merge(record.measured) { $0 + $1 } }
        let rows = values.sorted { $0.key < $1.key }.map { name, values in
            let all = Percentiles(values)
            let cells = [all.at(0.5), all.at(0.99), all.max].map { $0.map(Self.seconds) ?? "" }
            return "| \(name) | \(all.count) | \(cells.joined(separator: " | ")) |"
        }
        return (["| from … to … | n | p50 | p99 | max |", "|---|---|---|---|---|"] + rows).joined(separator: "\n")
    }

    private var wrong: String {
        let bad = records.filter { !$0.contradictions.isEmpty }
        guard !bad.isEmpty else { return "" }
        let lines = bad.map { record in
            "- seed \(record.seed): " + (record.contradictions[0].split(separator: "\n").first ?? "")
        }
        return "\n\n## Contradictions\n\n" + lines.joined(separator: "\n")
    }

    private func sums(_ counts: [[String: Int]]) -> [String: Int] {
        counts.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
    }

    private static func seconds(_ value: Double) -> String {
        value < 10 ? "\((value * 1000).rounded() / 1000) s" : "\((value * 10).rounded() / 10) s"
    }

    /// `1-20, 25`.
    static func ranges(_ seeds: [UInt64]) -> String {
        var ranges: [ClosedRange<UInt64>] = []
        for seed in Set(seeds).sorted() {
            if let last = ranges.last, seed == last.upperBound + 1 {
                ranges[ranges.count - 1] = last.lowerBound...seed
            } else {
                ranges.append(seed...seed)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ", ")
    }
}
