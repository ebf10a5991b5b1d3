// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// The apps that an App API serves and the services they use.
public struct AppCatalog: Sendable {
    /// The apps by name.
    public let apps: [String: AppDefinition]
    /// The services by name.
    public let services: [String: ServiceDefinition]
    private let byHash: [String: WorkflowDefinition]

    /// Makes a catalog of checked definitions.
    public init(apps: [AppDefinition], services: [ServiceDefinition]) {
        self.apps = Dictionary(apps.map { ($0.name, $0) }) { first, _ in first }
        self.services = Dictionary(services.map { ($0.name, $0) }) { first, _ in first }
        byHash = Dictionary(apps.flatMap(\.methods.values).map { ($0.hash, $0) }) { first, _ in first }
    }

    /// The apps' names in order.
    public var names: [String] { apps.keys.sorted() }

    /// The workflow of this hash, when it is one of the present definitions.
    public func definition(hash: String) -> WorkflowDefinition? { byHash[hash] }

    /// The prefix of an app's codes, or of the only app, or the fallback.
    func prefix(of app: String?, fallback: String) -> String {
        if let app, let definition = apps[app] { return definition.prefix }
        return apps.count == 1 ? apps.first?.value.prefix ?? fallback : fallback
    }

    /// Every workflow.
    var definitions: [WorkflowDefinition] { apps.values.flatMap(\.methods.values) }
}
