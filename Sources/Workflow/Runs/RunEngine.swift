// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The workflow engine: `(run, events) -> (run, effects)`, without I/O and without a clock of its own.
public struct RunEngine: Sendable {
    /// What an advance came to.
    public enum Step: Sendable {
        /// The outputs of these stages (by index) are needed: ask again with them.
        case needs(Set<Int>)
        /// The run after the events, and what has to be done.
        case done(Run, [RunEffect])
    }

    /// The workflow.
    public let definition: WorkflowDefinition

    /// Makes an engine for one workflow.
    public init(definition: WorkflowDefinition) {
        self.definition = definition
    }
}
