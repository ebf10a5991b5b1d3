// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
internal import Logging
internal import Plumbing
internal import Workflow

/// Takes one claimed job to its end: in turn, within its limits, and its outcome to whom it concerns.
struct JobRun: Sendable {
    /// What the line learns when the slot is free.
    struct End: Sendable {
        var wasHandedBack: Bool
    }

    let record: JobRecord
    let lease: LeaseID
    let claimedAt: ContinuousClock.Instant
    /// When the claim was sent: the ledger carried it out at that moment or later.
    let sentAt: ContinuousClock.Instant
    /// Whether the claim was sent before: then it may have been carried out long before `sentAt`.
    let isRepeated: Bool
    let engine: any Engine
    let service: ServiceDefinition
    let floor: WorkerFloor
    let metrics: WorkerMetrics

    private var job: Job { record.job }
    private var isAlone: Bool { job.orphaned >= JobRules.aloneOrphanings }
    private var probe: LeaseProbe { LeaseProbe(job: job.id, lease: lease) }

    /// The limit while the job waits for its turn: one that must run alone goes back before the ledger calls it late.
    var waitingLimit: LeaseTable.Limit? {
        guard isAlone else { return runningLimit }
        return LeaseTable.Limit(at: claimedAt + job.timeout / 2, reason: .crowded)
    }

    // Measured from the claim, whose moment both clocks know: this machine's clock may be wrong.
    private var deadlineAt: ContinuousClock.Instant? {
        guard let deadline = job.deadline else { return nil }
        return sentAt + (deadline - (job.startedAt ?? .now))
    }

    /// Whether it is past its deadline, by the claim's moment or, where that is not known, by this machine's time.
    private var isLate: Bool { isRepeated && job.deadline.map { $0 <= .now } ?? false }

    private var runningLimit: LeaseTable.Limit? {
        let timeout = LeaseTable.Limit(at: claimedAt + job.timeout, reason: .timedOut)
        guard let deadlineAt, deadlineAt <= timeout.at else { return timeout }
        return LeaseTable.Limit(at: deadlineAt, reason: .deadline)
    }

    /// Runs it; `slotFreed` is called once, when the handler no longer runs.
    func run(slotFreed: @Sendable (End) async -> Void) async {
        do {
            try await floor.gate.enter(alone: isAlone)
        } catch {
            // Stopped before its turn.
            await finish(.handedBack, neverRan: true, slotFreed: slotFreed)
            return
        }
        let permit = floor.permit(probe, deadlineAt: deadlineAt)
        // Beyond this point the process may be frozen at any instruction, so it is asked last.
        let mayRun = permit.isFresh() ? true : await permit.confirm()
        guard mayRun, !isLate, floor.leases.begin(lease, limit: runningLimit) else {
            floor.gate.leave(alone: isAlone)
            await finish(.handedBack, neverRan: true, slotFreed: slotFreed)
            return
        }
        floor.log.debug("a job starts", metadata: metadata)
        let work = HandlerWork(job: job, input: record.input, service: service.name, permit: permit)
        let context = RunContext(
            results: floor.ports.results,
            job: job.id,
            lease: lease,
            timeToLive: floor.settings.resultTimeToLive
        )
        let outcome = await engine.run(work, context: context)
        floor.gate.leave(alone: isAlone)
        await finish(outcome, neverRan: false, told: context.used, slotFreed: slotFreed)
    }

    private func finish(
        _ outcome: HandlerOutcome,
        neverRan: Bool,
        told: JobUsage = JobUsage(),
        slotFreed: @Sendable (End) async -> Void
    ) async {
        let duration = ContinuousClock.now - claimedAt
        let usage = JobUsage(told: told, held: duration, by: service)
        let reason = floor.leases.ended(lease)
        let ending = JobEnding(outcome: outcome, reason: reason, neverRan: neverRan, timeout: job.timeout)
        metrics.ended(ending.label, after: duration)
        switch ending {
        case .forget:
            floor.leases.remove([lease])
        case .park:
            floor.leases.set(.parked(since: .now), of: lease)
        case .handBack:
            await slotFreed(End(wasHandedBack: reason == nil || reason == .crowded))
            await floor.handBack(probe)
            return
        case .fail(let failure):
            report(failure, ResultPacker.Packed(), duration, usage)
        case .succeed(let result):
            // The slot is free although the result may still have to be checked and stored: the handler is done.
            await slotFreed(End(wasHandedBack: false))
            await report(result, duration, usage)
            return
        }
        await slotFreed(End(wasHandedBack: false))
    }

    private func report(_ result: [UInt8], _ duration: Duration, _ usage: JobUsage) async {
        let packer = ResultPacker(
            service: service,
            media: floor.ports.media,
            inlineLimit: floor.settings.inlineLimit
        )
        do throws(JobError) {
            if let packed = try packer.packInline(result) {
                report(nil, packed, duration, usage)
            } else {
                // Its own task: a result that came in time counts even when this task was cancelled meanwhile.
                await Task { await reportLarge(result, by: packer, duration, usage) }.value
            }
        } catch {
            report(Completion.Failure(error), ResultPacker.Packed(), duration, usage)
        }
    }

    private func reportLarge(
        _ result: [UInt8],
        by packer: ResultPacker,
        _ duration: Duration,
        _ usage: JobUsage
    ) async {
        // What waits here for the media store counts as unsettled: too much of it, and nothing new is claimed.
        floor.outbox.keep(result.count)
        defer { floor.outbox.release(result.count) }
        do throws(JobError) {
            let (leases, lease) = (floor.leases, lease)
            if let packed = try await packer.packLarge(result, lease: lease, while: { leases.isWanted(lease) }) {
                report(nil, packed, duration, usage)
            } else if leases.ended(lease) == .drained {
                await floor.handBack(probe)
            } else {
                leases.remove([lease])
            }
        } catch {
            report(Completion.Failure(error), ResultPacker.Packed(), duration, usage)
        }
    }

    private func report(
        _ failure: Completion.Failure?,
        _ result: ResultPacker.Packed,
        _ duration: Duration,
        _ usage: JobUsage
    ) {
        if let failure { log(failure, duration) }
        let completion = Completion(
            job: job.id,
            task: job.task,
            lease: lease,
            failure: failure,
            result: result.inline,
            storedResult: result.stored,
            runMilliseconds: Int(duration.wholeMilliseconds),
            usage: usage.isEmpty ? nil : usage
        )
        // In the outbox before it leaves the table: no beat may miss it in between.
        floor.outbox.send(completion, of: job)
        floor.leases.remove([lease])
    }

    private func log(_ failure: Completion.Failure, _ duration: Duration) {
        var metadata = metadata
        metadata[LogKey.error] = "\(failure.error.category.rawValue): \(failure.error.message)"
        metadata[LogKey.duration] = "\(Quantity.text(duration))"
        if failure.handlerDied {
            floor.log.warning("a handler's process died under a job", metadata: metadata)
        } else {
            floor.log.info("a job failed", metadata: metadata)
        }
    }

    private var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKey.job: "\(job.id)", LogKey.attempt: "\(job.attempt)", LogKey.service: "\(service.name)",
        ]
        if let task = job.task { metadata[LogKey.task] = "\(task)" }
        if let trace = job.trace?.split(separator: "-").dropFirst().first { metadata[LogKey.trace] = "\(trace)" }
        return metadata
    }
}
