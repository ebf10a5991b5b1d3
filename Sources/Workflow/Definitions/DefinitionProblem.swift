// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What is wrong with a definition, where, and what would be right.
public struct DefinitionProblem: Error, Sendable, Hashable {
    /// The file, within the folder that was named to the loader.
    public var file: String
    /// The line, from 1; 0 when the whole file is meant.
    public var line: Int
    /// What is wrong and what would be right.
    public var message: String

    /// Makes a problem.
    public init(file: String, line: Int, message: String) {
        self.file = file
        self.line = line
        self.message = message
    }
}

extension DefinitionProblem: CustomStringConvertible {
    /// The problem as a compiler would say it: `apps/x/app.yaml:14: …`.
    public var description: String { line > 0 ? "\(file):\(line): \(message)" : "\(file): \(message)" }
}
