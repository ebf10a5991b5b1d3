// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Seeds as people write them: `1 2 3`, `1-1000`, `7,9-12`.
enum SeedList {
    /// How many seeds a list may have.
    static let most: UInt64 = 1_000_000

    /// Reads a list, each seed once: runs of one seed side by side would share their names.
    ///
    /// It is nil when a part of it is no seed and no range of seeds, and when there are more than ``most``.
    static func read(_ text: String) -> [UInt64]? {
        var seeds: [UInt64] = []
        for part in text.split(whereSeparator: { $0 == " " || $0 == "," }) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
            guard let first = bounds.first.flatMap(\.self), let last = bounds.last.flatMap(\.self),
                bounds.count <= 2, first <= last, last - first < most - UInt64(seeds.count)
            else { return nil }
            seeds += first...last
        }
        var known: Set<UInt64> = []
        seeds.removeAll { !known.insert($0).inserted }
        return seeds.isEmpty ? nil : seeds
    }
}
