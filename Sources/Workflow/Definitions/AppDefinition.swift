// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// An app as its `app.yaml` describes it: a name, a code prefix and one workflow per method.
public struct AppDefinition: Sendable {
    /// The app's name, `[a-z0-9-]`.
    public var name: String
    /// The prefix of its status codes, `AC` in `AC_000`.
    public var prefix: String
    /// What it does, for a person.
    public var description: String
    /// Its methods by name.
    public var methods: [String: WorkflowDefinition]

    /// Makes a definition.
    public init(name: String, prefix: String, description: String = "", methods: [String: WorkflowDefinition]) {
        self.name = name
        self.prefix = prefix
        self.description = description
        self.methods = methods
    }
}
