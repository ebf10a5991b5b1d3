// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

/// Reads a job that is to be created, in the words of the job contract.
struct NewJobReader: Sendable {
    let choice: ServiceChoice
    /// The name of the caller's token.
    let caller: String?
    let trace: String?
    /// The `Idempotency-Key` of the request.
    let key: String?

    /// The members of a new job.
    static let names = [
        "owner_service", "owner_ref", "task_type", "model_profile", "input", "priority", "max_attempts", "run_after",
        "deadline", "dedup_key", "user",
    ]

    /// Reads a job; `path` is what stands before its members' names in problems.
    ///
    /// - Throws: ``Problem`` (422) with the wrong member.
    func job(from json: JSON, at path: String = "/") throws(Problem) -> NewJob {
        let members = try MemberReader(json, at: path, known: Self.names)
        var labels = JobLabels()
        labels.ownerService = try members.text("owner_service")
        labels.ownerRef = try members.text("owner_ref", limit: 1024)
        let taskType = try members.needed("task_type")
        labels.taskType = taskType
        labels.modelProfile = try members.text("model_profile")
        labels.priority = try members.whole("priority", in: JobLabels.priorities) ?? 0
        labels.user = try members.text("user") ?? labels.ownerService ?? caller
        labels.dedupKey = try dedupKey(members)
        let service: ServiceDefinition
        do {
            service = try choice.service(taskType: taskType, modelProfile: labels.modelProfile)
        } catch {
            var problem = error
            problem.field = problem.field.map { members.field($0) }
            throw problem
        }
        var job = NewJob(service: service, input: members["input"] ?? [:], labels: labels)
        job.maxAttempts = try members.whole("max_attempts", in: 1...100)
        job.runAfter = try members.moment("run_after")
        job.deadline = try deadline(members, runAfter: job.runAfter)
        job.trace = trace
        job.token = caller
        return job
    }

    private func dedupKey(_ members: MemberReader) throws(Problem) -> String? {
        let own = try members.text("dedup_key")
        if let own, let key, own != key {
            throw members.wrong("dedup_key", "it differs from the header Idempotency-Key; give one of them")
        }
        return own ?? key
    }

    private func deadline(_ members: MemberReader, runAfter: Timestamp?) throws(Problem) -> Timestamp? {
        guard let deadline = try members.moment("deadline") else { return nil }
        guard deadline > .now else { throw members.wrong("deadline", "it has passed; give a moment in the future") }
        if let runAfter, runAfter >= deadline {
            throw members.wrong("deadline", "it comes before 'run_after', so the job could never run")
        }
        return deadline
    }
}
