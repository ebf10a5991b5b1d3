// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A stage as it was read, before it is checked against the others.
struct StageSource {
    /// The stage; its dependencies are not known yet.
    var definition: StageDefinition
    /// The line of its name.
    var line: Int
    /// The line of its service's name.
    var serviceLine: Int
    /// Its input's text.
    var input: SourceNode
    /// Its list's or its range's text.
    var forEach: SourceNode?
    /// Its references and those of its fan-out and its condition, with their lines.
    var references: [LinedReference]
    /// The stages of `after`.
    var after: [(name: String, line: Int)]

    /// The names of the stages that it needs, each once, in the order in which they stand.
    var needs: [String] {
        var names: [String] = []
        for name in references.compactMap(\.reference.stage) + after.map(\.name) where !names.contains(name) {
            names.append(name)
        }
        return names
    }
}

/// A reference and where it stands.
struct LinedReference {
    var reference: Reference
    var line: Int
    /// Whether `item#` and `index#` mean something here.
    var isWithinItem: Bool
}
