// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import Workflow

/// Which jobs a command is about.
struct JobFilters: ParsableArguments {
    @Option(name: .long, help: "Only this service's.")
    var service: String?

    @Option(name: .long, help: "Only those in this state.")
    var status: Status?

    @Option(name: .long, help: "Only those of this calling service (owner_service).")
    var owner: String?

    @Option(name: .long, help: "Only those of this task type.")
    var type: String?

    @Option(name: .long, help: ArgumentHelp("Only those of this task.", valueName: "id"))
    var task: String?

    @Option(name: .long, help: ArgumentHelp("Only those held, now or last, by this worker.", valueName: "name"))
    var worker: String?

    /// How a job stands, as the Service API calls it.
    enum Status: String, ExpressibleByArgument, CaseIterable {
        case pending
        case running
        case completed
        case failed
        case cancelled
    }

    /// The filters by their names in the job contract.
    var members: [(name: String, value: String)] {
        [
            ("service", service), ("status", status?.rawValue), ("owner_service", owner), ("task_type", type),
            ("task_id", task), ("worker_id", worker),
        ].compactMap { name, value in value.map { (name, $0) } }
    }

    /// The filters as a query, each behind a `&`.
    var query: String {
        members.map { name, value in
            "&\(name)=" + (value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? value)
        }.joined()
    }

    /// The filters as a body.
    var json: JSON { .object(JSONObject(members.map { ($0, .string($1)) })) }
}
