// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What this process knows of the requests in each rule's present window.
struct RateCounts: Sendable {
    private struct Count {
        var index: Int64
        var sum: Int
        /// When the window is over, in milliseconds of the clock that indices are made from.
        var end: Int64
    }

    private var counts: [String: Count] = [:]
    private var limit = 1024

    /// Counts one request; returns how many the window has now, as far as this process knows.
    mutating func add(to rule: RateRule, index: Int64) -> Int {
        let present = counts[rule.key].flatMap { $0.index == index ? $0.sum : nil } ?? 0
        if counts[rule.key] == nil { forget(before: index * rule.window) }
        counts[rule.key] = Count(index: index, sum: present + 1, end: (index + 1) * rule.window)
        return present + 1
    }

    /// Learns how many requests all processes counted.
    mutating func learn(_ sum: Int, of rule: RateRule, index: Int64) {
        guard let count = counts[rule.key], count.index == index, count.sum < sum else { return }
        counts[rule.key]?.sum = sum
    }

    /// Throws out what is over whenever the number of rules has doubled.
    private mutating func forget(before moment: Int64) {
        guard counts.count >= limit else { return }
        counts = counts.filter { $0.value.end > moment }
        limit = max(1024, counts.count * 2)
    }
}
