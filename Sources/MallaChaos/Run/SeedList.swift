// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Seeds as people write them: `1 2 3`, `1-1000`, `7,9-12`.
enum SeedList {
    /// Reads a list; nil when a part of it is no seed and no range of seeds.
    static func read(_ text: String) -> [UInt64]? {
        var seeds: [UInt64] = []
        for part in text.split(whereSeparator: { $0 == " " || $0 == "," }) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
            guard let first = bounds.first.flatMap(\.self), let last = bounds.last.flatMap(\.self),
                bounds.count <= 2, first <= last
            else { return nil }
            seeds += first...last
        }
        return seeds.isEmpty ? nil : seeds
    }
}
