// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// Why a file of limits can't be used.
public struct LimitsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, each with its line.
    public let problems: [DefinitionProblem]

    /// Makes an error.
    public init(_ problems: [DefinitionProblem]) {
        self.problems = problems
    }

    /// One line for each problem: `limits.yaml:4: user 'acme' has …`.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
