// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Workflow

/// Finds the service that runs a job: by its name, or by task type and model profile together.
struct ServiceChoice: Sendable {
    private typealias Taken = ServiceDefinition.Taken

    let services: [String: ServiceDefinition]

    /// The service of that name.
    ///
    /// - Throws: ``Problem`` (404) that lists what there is.
    func service(named name: String) throws(Problem) -> ServiceDefinition {
        guard let service = services[name] else {
            let known = services.keys.sorted().joined(separator: ", ")
            throw Problem(.notFound, "there is no service '\(name.prefix(64))'; there are: \(known)", field: "service")
        }
        return service
    }

    /// The service that takes a task type with a model profile; one that names the profile comes before one that takes
    /// any.
    ///
    /// A service is also taken by its own name as the task type.
    ///
    /// - Throws: ``Problem`` (422) that lists what there is.
    func service(taskType: String, modelProfile: String?) throws(Problem) -> ServiceDefinition {
        let wanted = Taken.normal(taskType)
        let sorted = services.values.sorted { $0.name < $1.name }
        let exact = sorted.first { service in
            service.takes.contains { Taken.normal($0.taskType) == wanted && $0.modelProfile == modelProfile }
        }
        let loose = sorted.first { service in
            service.takes.contains { Taken.normal($0.taskType) == wanted && $0.modelProfile == nil }
        }
        // Without a profile, a task type that only one service takes is clear enough.
        let candidates = sorted.filter { service in service.takes.contains { Taken.normal($0.taskType) == wanted } }
        let only = modelProfile == nil && candidates.count == 1 ? candidates.first : nil
        if let service = exact ?? loose ?? only ?? services[taskType] { return service }
        throw Problem(
            .unprocessableContent,
            "no service takes task_type '\(taskType.prefix(64))'"
                + (modelProfile.map { " with model_profile '\($0.prefix(64))'" } ?? "") + "; there are: \(offer)",
            field: candidates.isEmpty ? "task_type" : "model_profile"
        )
    }

    /// The services whose jobs a worker may claim that asks for these types and profiles; all when it names none.
    func services(taskTypes: [String], modelProfiles: [String]) -> [ServiceDefinition] {
        let types = Set(taskTypes.map(Taken.normal))
        return services.values.sorted { $0.name < $1.name }.filter { service in
            guard !types.isEmpty || !modelProfiles.isEmpty else { return true }
            if types.contains(service.name) { return true }
            return service.takes.contains { taken in
                (types.isEmpty || types.contains(Taken.normal(taken.taskType)))
                    && (modelProfiles.isEmpty || taken.modelProfile.map { modelProfiles.contains($0) } ?? true)
            }
        }
    }

    /// What of the types and profiles that a worker asks for still has to be looked at within a service: where it takes
    /// nothing else, all its jobs are meant, also those whose callers named no type.
    func filter(
        of service: String,
        taskTypes: [String]?,
        modelProfiles: [String]?
    ) -> (taskTypes: [String]?, modelProfiles: [String]?) {
        guard let taken = services[service]?.takes else { return (taskTypes, modelProfiles) }
        let types = Set((taskTypes ?? []).map(Taken.normal))
        let allTypes =
            types.isEmpty || types.contains(service) || taken.allSatisfy { types.contains(Taken.normal($0.taskType)) }
        let allProfiles =
            modelProfiles.map { wanted in
                !taken.isEmpty && taken.allSatisfy { $0.modelProfile.map { wanted.contains($0) } ?? false }
            } ?? true
        return (
            allTypes ? nil : taskTypes.map { JobFilter.bothForms(of: $0) }, allProfiles ? nil : modelProfiles
        )
    }

    /// What can be asked for, for a person.
    var offer: String {
        let taken = services.values.flatMap { service in
            service.takes.map { $0.taskType + ($0.modelProfile.map { " with \($0)" } ?? "") }
        }
        return Set(taken + services.keys).sorted().joined(separator: ", ")
    }
}
