// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The figures of many runs, as Markdown.
struct CampaignReport: Sendable {
    let records: [RunRecord]

    /// What a reader wants first, then the faults, then the times.
    var text: String {
        let alone = records.filter(\.isIsolated)
        let mixed = records.filter { !$0.isIsolated }
        var parts = [summary, "## Faults\n\n" + faults]
        if !alone.isEmpty {
            let only = Set(alone.compactMap { $0.settings?.only }).sorted().map { "`\($0)`" }.joined(separator: ", ")
            parts.append("## Times of faults that come alone (--only \(only))\n\n" + times(alone))
        }
        if !mixed.isEmpty { parts.append("## Times of all faults together\n\n" + times(mixed)) }
        return parts.joined(separator: "\n\n") + wrong
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
            | settings | \(distinct(settings)) |
            | malla | \(distinct(records.map { $0.version ?? "not recorded" })) |
            | seeds | \(Self.ranges(records.map(\.seed))) |
            | faults | \(faultCount) |
            | tasks | \(tasks): \(words) |
            | runs with a contradiction | \(bad) |\(counts.joined())
            """
    }

    private var settings: [String] {
        records.map { record in
            guard let settings = record.settings else { return "not recorded" }
            let faults = settings.isRolling ? "a rolling restart" : "\(settings.faults) faults"
            let only = settings.only.isEmpty ? "" : " of `\(settings.only)`"
            return "\(settings.tasks) tasks, \(faults)\(only)" + (settings.clockJumps ? "" : ", no clock jumps")
        }
    }

    /// Each value once, with how often it comes.
    private func distinct(_ values: [String]) -> String {
        let counts = values.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }.joined(separator: "; ")
    }

    private var faults: String {
        let rows = sums(records.map(\.faults)).sorted { $0.key < $1.key }.map { "| \($0.key) | \($0.value) |" }
        return (["| fault | times |", "|---|---|"] + rows).joined(separator: "\n")
    }

    private func times(_ records: [RunRecord]) -> String {
        var values: [String: [Double]] = [:]
        for record in records { values.merge(record.measured) { $0 + $1 } }
        // What has a bar has a row, also where nothing was measured: that is no proof.
        for name in Bar.all.keys { values[name, default: []] += [] }
        let rows = values.sorted { $0.key < $1.key }.map { name, values in
            let all = Percentiles(values)
            let cells = [all.at(0.5), all.at(0.99), all.max].map { $0.map(Self.seconds) ?? "" }
            let bar = Bar.all[name]
            let held = bar.map { $0.holds(all).map { $0 ? "yes" : "**no**" } ?? "not measured" }
            return "| \(name) | \(all.count) | \(cells.joined(separator: " | ")) | \(bar?.text ?? "") | \(held ?? "") |"
        }
        let head = ["| from … to … | n | p50 | p99 | max | bar | held |", "|---|---|---|---|---|---|---|"]
        return (head + rows).joined(separator: "\n")
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
