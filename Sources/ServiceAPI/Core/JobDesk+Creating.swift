// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import HTTPTypes
import Ledger
import Plumbing
import Workflow

extension JobDesk {
    /// A job that was created, or the one that the same key had created before.
    struct Created: Sendable {
        var job: Job
        var isNew: Bool
    }

    /// Creates jobs, all or none: checks inputs, limits and backlogs, stores them, and sends their tickets.
    ///
    /// - Throws: ``Problem``: 422 with the wrong field (`prefix` + its path), 429 with `Retry-After`.
    /// - Parameter lookingUp: whether a job that was there before is read; else only its id is right.
    func create(
        _ jobs: [NewJob],
        prefix: (Int) -> String = { _ in "" },
        lookingUp: Bool = true
    ) async throws -> [Created] {
        guard !jobs.isEmpty else { return [] }
        for (index, job) in jobs.enumerated() { try check(job, prefix: prefix(index)) }
        do throws(Problem) {
            try await checkLimits(jobs)
            try reserve(jobs)
        } catch {
            // A repeat needs no room.
            guard let known = try await known(jobs, lookingUp: lookingUp) else { throw error }
            return known
        }
        let records = jobs.map { record(of: $0) }
        let creations = try await ledger.create(records)
        let fresh = zip(records, creations).filter { $1 == .created }.map(\.0.job)
        // Those that are set aside get their tickets when they become due.
        admission.post(fresh.filter { $0.runAfter == nil })
        for service in Set(fresh.map(\.service)) { bell.ring(service) }
        var created: [Created] = []
        for (record, creation) in zip(records, creations) {
            switch creation {
            case .created: created.append(Created(job: record.job, isNew: true))
            case .existing(let id):
                var job = record.job
                job.id = id
                created.append(Created(job: lookingUp ? try await find(id).job : job, isNew: false))
            }
        }
        return created
    }

    /// The jobs of repeats; nil when one of them is new.
    private func known(_ jobs: [NewJob], lookingUp: Bool) async throws -> [Created]? {
        guard jobs.allSatisfy({ $0.labels.dedupKey != nil }) else { return nil }
        var known: [Created] = []
        for (id, job) in zip(try await ledger.existing(jobs.map(\.labels)), jobs) {
            guard let id else { return nil }
            let found = Job(id: id, service: job.service.name, createdAt: .now)
            known.append(Created(job: lookingUp ? try await find(id).job : found, isNew: false))
        }
        return known
    }

    /// Checks one job's input against its service.
    ///
    /// - Throws: ``Problem`` (422).
    func check(_ job: NewJob, prefix: String = "") throws(Problem) {
        guard let violation = job.service.input?.validate(job.input).first else { return }
        throw Problem(
            .unprocessableContent,
            "the input does not fit service '\(job.service.name)': \(violation.message)",
            field: "\(prefix)/input\(violation.path)"
        )
    }

    private func checkLimits(_ jobs: [NewJob]) async throws(Problem) {
        struct Payer: Hashable {
            var user: String
            var token: String?
        }
        let counts = Dictionary(grouping: jobs) { Payer(user: $0.user, token: $0.token) }.mapValues(\.count)
        for (payer, count) in counts {
            if let refusal = await parts.limits.check(user: payer.user) { throw Problem(refusal) }
            let refusal = await parts.limits.checkJobs(user: payer.user, token: payer.token, count: count)
            if let refusal { throw Problem(refusal) }
        }
    }

    private func reserve(_ jobs: [NewJob]) throws(Problem) {
        for (name, group) in Dictionary(grouping: jobs, by: \.service.name).sorted(by: { $0.key < $1.key }) {
            guard let waiting = admission.reserve(group.count, of: name), let service = group.first?.service else {
                continue
            }
            throw Problem(
                .tooManyRequests,
                "the backlog of '\(name)' is full: \(waiting) jobs wait, \(service.backlog) are allowed",
                field: "service",
                retryAfter: 2
            )
        }
    }

    private func record(of new: NewJob) -> JobRecord {
        let now = parts.clock.now
        let lane = FairRanks.Lane(service: new.service.name, priority: new.labels.priority)
        let job = Job(
            id: MeshID(at: now),
            service: new.service.name,
            maxAttempts: new.maxAttempts ?? new.service.maxAttempts,
            timeout: new.timeout ?? new.service.timeout,
            deadline: new.deadline,
            runAfter: new.runAfter,
            rank: parts.ranking.rank(service: lane.service, user: new.user, priority: lane.priority),
            createdAt: now,
            trace: new.trace,
            labels: new.labels
        )
        return JobRecord(job: job, input: new.input.bytes)
    }
}
