// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Workflow

/// Finds the service that serves the module of an envelope, whatever the case in which either is written.
struct ModuleChoice: Sendable {
    let services: [String: ServiceDefinition]

    /// The service for an envelope that came in at `endpoint`; that one comes first when several serve the module.
    ///
    /// A caller's `target.service` is a service by its name, or the first part of the names of several: `GRACE` means
    /// `grace` as well as `grace-asr` and `grace-ocr`.
    ///
    /// - Throws: ``Problem`` (422) that lists what there is, for an unknown service or module.
    func service(for envelope: InputEnvelope, at endpoint: String) throws(Problem) -> ServiceDefinition {
        let meant = try meant(envelope.service)
        let wanted = envelope.module.lowercased()
        let serving = meant.filter { $0.modules.contains { $0.lowercased() == wanted } }
        if let service = serving.first(where: { $0.name == endpoint }) ?? serving.first { return service }
        let whose = envelope.service.map { " of '\($0.prefix(64))'" } ?? ""
        throw Problem(
            .unprocessableContent,
            "no service serves module '\(envelope.module.prefix(64))'\(whose); there are: \(offer(of: meant))",
            field: envelope.moduleField
        )
    }

    /// Whether GRACE's form is looked for in the inputs of an endpoint: its service has modules, or it is none at all.
    ///
    /// A plain service may well have inputs of its own that look alike.
    func looksForGrace(at endpoint: String) -> Bool {
        guard let service = services[endpoint] else { return true }
        return !service.modules.isEmpty
    }

    private func meant(_ name: String?) throws(Problem) -> [ServiceDefinition] {
        let sorted = services.values.sorted { $0.name < $1.name }
        guard let name else { return sorted }
        let wanted = name.lowercased()
        let named = sorted.filter { $0.name == wanted || $0.name.hasPrefix("\(wanted)-") }
        guard named.isEmpty else { return named }
        // Only those that could be meant: one without modules never serves an envelope.
        let offered = sorted.filter { !$0.modules.isEmpty }.map(\.name)
        throw Problem(
            .unprocessableContent,
            "there is no service '\(name.prefix(64))'; those with modules: "
                + (offered.isEmpty ? "none" : offered.joined(separator: ", ")),
            field: "/input/contract/target/service"
        )
    }

    private func offer(of services: [ServiceDefinition]) -> String {
        let modules = Set(services.flatMap(\.modules)).sorted()
        return modules.isEmpty ? "none" : modules.joined(separator: ", ")
    }
}
