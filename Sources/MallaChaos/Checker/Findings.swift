// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The contradictions found so far.
struct Findings: Sendable {
    private(set) var list: [Contradiction] = []

    mutating func add(_ rule: Rule, _ subject: String, _ finding: String) {
        list.append(Contradiction(rule: rule.rawValue, subject: subject, finding: finding))
    }
}
