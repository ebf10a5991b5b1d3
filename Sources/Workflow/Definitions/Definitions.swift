// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Every app and service of a mesh, checked against each other.
public struct Definitions: Sendable {
    /// The apps by name.
    public var apps: [String: AppDefinition]
    /// The services by name.
    public var services: [String: ServiceDefinition]

    /// Makes a set of definitions.
    public init(apps: [String: AppDefinition] = [:], services: [String: ServiceDefinition] = [:]) {
        self.apps = apps
        self.services = services
    }
}

/// Every problem of a set of definitions.
public struct DefinitionsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The problems, at least one, by file and line.
    public let problems: [DefinitionProblem]

    /// Makes an error.
    public init(problems: [DefinitionProblem]) {
        self.problems = problems
    }

    /// The problems, one on each line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
