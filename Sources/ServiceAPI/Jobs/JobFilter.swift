// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Workflow

/// Which jobs a call is about: the filters of the list, of `retry` and of `cancel`.
struct JobFilter: Sendable {
    /// The names of the filters.
    static let names = [
        "status", "service", "owner_service", "owner_ref", "task_type", "model_profile", "worker_id", "task_id",
        "created_from", "created_to",
    ]

    /// The ledger's query.
    var query: JobQuery

    /// Reads the filters.
    ///
    /// - Throws: ``Problem`` (422) with the name of the wrong one.
    init(_ members: MemberReader, limit: Int) throws(Problem) {
        query = JobQuery(limit: limit)
        query.states = try Self.states(members)
        query.services = try members.texts("service")
        query.ownerService = try members.text("owner_service")
        query.ownerRef = try members.text("owner_ref", limit: 1024)
        query.taskTypes = try members.texts("task_type").map { Self.bothForms(of: $0) }
        query.modelProfile = try members.text("model_profile")
        query.worker = try members.text("worker_id")
        query.task = try members.id("task_id")
        query.from = try members.moment("created_from")
        query.to = try members.moment("created_to")
    }

    /// The task types with `transcribe` and `transcription` both, when one of them is meant.
    static func bothForms(of types: [String]) -> [String] {
        let twins = ["transcribe", "transcription"]
        return types.contains(where: twins.contains) ? Array(Set(types + twins)).sorted() : types
    }

    private static func states(_ members: MemberReader) throws(Problem) -> [JobState]? {
        guard let names = try members.texts("status") else { return nil }
        var states: [JobState] = []
        for name in names {
            guard let found = JobWords.states[name] else {
                let known = JobWords.states.keys.sorted().joined(separator: ", ")
                throw members.wrong("status", "'\(name.prefix(64))' is not one of \(known)")
            }
            states += found
        }
        return Array(Set(states)).sorted { $0.rawValue < $1.rawValue }
    }
}
