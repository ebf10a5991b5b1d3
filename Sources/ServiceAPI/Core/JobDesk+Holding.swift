// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import HTTPTypes
import Ledger
import MediaStore
import Plumbing
import ServiceLifecycle
import Workflow

/// What workers do that hold jobs over HTTP; the fencing rule is the ledger's: only the lease in the row counts.
extension JobDesk {
    /// Claims due jobs of these services for a worker elsewhere, the services in turn; waits up to `wait` for one.
    ///
    /// Who claims must see to it that the jobs arrive: see ``AnswerDelivery``.
    func claim(
        services: [String],
        taskTypes: [String]? = nil,
        modelProfiles: [String]? = nil,
        worker: String,
        limit: Int,
        lease duration: Duration? = nil,
        wait: Duration = .zero
    ) async throws -> [JobRecord] {
        let until = ContinuousClock.now + wait
        while true {
            let (records, isOver) = try await bell.listening(for: services) { waiter in
                var records: [JobRecord] = []
                // In another order each time, or a long queue of the first would starve the others.
                for service in services.shuffled() where records.count < limit {
                    let filter = choice.filter(of: service, taskTypes: taskTypes, modelProfiles: modelProfiles)
                    records += try await take(
                        RemoteClaim(
                            service: service,
                            taskTypes: filter.taskTypes,
                            modelProfiles: filter.modelProfiles,
                            worker: worker,
                            leases: (records.count..<limit).map { _ in LeaseID() },
                            duration: duration ?? leaseDuration
                        ),
                        beside: records
                    )
                }
                let rest = until - .now
                if !records.isEmpty || rest <= .zero || Task.isShuttingDownGracefully { return (records, true) }
                try await waiter.value(within: min(rest, Self.lookAgain))
                return ([], false)
            }
            if isOver { return records }
        }
    }

    /// Claims although the caller may be cancelled meanwhile: what the ledger has given out must be handed on or back.
    private func take(_ claim: RemoteClaim, beside records: [JobRecord]) async throws -> [JobRecord] {
        do {
            return try await Task { try await ledger.claim(claim) }.value
        } catch {
            // What was claimed of other services before is still good.
            guard !records.isEmpty else { throw error }
            return []
        }
    }

    /// Makes a holder's leases last from now on; tells how each stands, nil for a job that he does not hold.
    func renew(_ probes: [LeaseProbe], for duration: Duration? = nil) async throws -> [LeaseProbe.Standing] {
        try await ledger.renew(probes, for: duration ?? leaseDuration)
    }

    /// Gives jobs back that never reached their worker, or that it won't run.
    func handBack(_ probes: [LeaseProbe]) async throws {
        let jobs = try await ledger.handBack(probes)
        admission.post(jobs)
        for service in Set(jobs.map(\.service)) { bell.ring(service) }
    }

    /// Records a result; the same call twice is one completion.
    ///
    /// - Throws: ``Problem``: 409 when the holder does not hold the job (any more), 422 when the result does not fit.
    func complete(_ id: JobID, by holder: JobHolder, result: JSON, usage: JobUsage?) async throws -> JobRecord {
        let record = try await find(id)
        if record.job.state == .succeeded, holder.held(record.job) { return record }
        guard let lease = holder.lease(of: record.job) else { throw lost(record.job, holder) }
        let bytes = result.bytes
        try check(result, bytes.count, of: record.job)
        let used = spent(on: record.job, usage)
        guard record.job.app == nil else {
            let now = try await report(record.job, lease, failure: nil, result: bytes, usage: used)
            // Settled, or on its way there; else somebody took the job away before.
            guard holder.lease(of: now.job) == lease || (now.job.state == .succeeded && holder.held(now.job)) else {
                throw lost(now.job, holder)
            }
            return now
        }
        let settlement = Settlement(
            job: id,
            event: .completed(lease: lease),
            result: bytes,
            usage: used.isEmpty ? nil : used.json.bytes
        )
        return try await self.record(settlement, of: record.job, by: holder)
    }

    /// Records a failure.
    ///
    /// - Throws: ``Problem`` (409) when the holder does not hold the job (any more).
    func fail(_ id: JobID, by holder: JobHolder, _ error: JobError) async throws -> JobRecord {
        let record = try await find(id)
        guard let lease = holder.lease(of: record.job) else {
            if record.job.state == .failed, holder.held(record.job) { return record }
            throw lost(record.job, holder)
        }
        guard record.job.app == nil else {
            return try await report(record.job, lease, failure: .init(error), result: [], usage: nil)
        }
        return try await self.record(
            Settlement(job: id, event: .failed(lease: lease, error)),
            of: record.job,
            by: holder
        )
    }

    private func record(_ settlement: Settlement, of job: Job, by holder: JobHolder) async throws -> JobRecord {
        let outcome = try await settle([settlement])
        if case .applied = outcome.verdicts.first { return try await find(job.id) }
        let now = try await find(job.id)
        if now.job.state == .succeeded, holder.held(now.job) { return now }
        throw lost(now.job, holder)
    }

    /// Tells the app whose run the job belongs to; only that app advances it.
    private func report(
        _ job: Job,
        _ lease: LeaseID,
        failure: Completion.Failure?,
        result: [UInt8],
        usage: JobUsage?
    ) async throws -> JobRecord {
        let stored = try await LargeResult(media: parts.media).store(result, lease: lease)
        let completion = Completion(
            job: job.id,
            task: job.task,
            lease: lease,
            failure: failure,
            result: stored == nil ? result : [],
            storedResult: stored,
            runMilliseconds: Int((Timestamp.now - (job.startedAt ?? .now)).wholeMilliseconds),
            usage: usage
        )
        // The app's API may be away, and nobody renews the lease any more: the message must find it in the row.
        let probe = LeaseProbe(job: job.id, lease: lease)
        if job.leaseUntil != nil { _ = try await renew([probe], for: ReportOutbox.lease) }
        let message = Message(queue: QueueName.completions(of: job), body: completion.body, trace: job.trace)
        do {
            try await parts.broker.publish([message])
        } catch {
            // The worker hands in again, or is gone: then the job must not wait for it that long.
            if job.leaseUntil != nil { _ = try await renew([probe]) }
            throw error
        }
        // It will be settled; for as long as the app's API is away the job shows as running.
        reports.keep(message, probe)
        let until = ContinuousClock.now + .seconds(5)
        var pause = Duration.milliseconds(20)
        while true {
            let now = try await find(job.id)
            if now.job.state != .running || now.job.lease != lease {
                reports.forget([lease])
                return now
            }
            if ContinuousClock.now > until { return now }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(250))
        }
    }

    /// That a holder does not hold a job.
    func lost(_ job: Job, _ holder: JobHolder) -> Problem {
        let who = holder.lease.map { "lease '\($0)'" } ?? "worker '\(holder.worker.prefix(100))'"
        return Problem(
            .conflict,
            "\(who) does not hold the job: it is \(job.state.contractStatus)"
                + (job.state == .running ? " elsewhere" : ""),
            field: holder.lease == nil ? "/worker_id" : "/lease_id"
        )
    }
}
