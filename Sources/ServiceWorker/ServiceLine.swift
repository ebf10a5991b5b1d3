// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Ledger
internal import Logging
internal import Plumbing
internal import Workflow

/// One service at one worker: consumes its tickets, claims its jobs and runs them on its engine.
actor ServiceLine {
    nonisolated let service: ServiceDefinition
    nonisolated let engine: any Engine
    private let floor: WorkerFloor
    private let metrics: WorkerMetrics
    private var desk: TicketDesk
    private var subscription: (any Subscription)?
    private var inlet: Task<Void, Never>?
    private var timer: (at: ContinuousClock.Instant, task: Task<Void, Never>)?
    /// The leases of a claim that has not been answered yet.
    private var unanswered: [LeaseID] = []
    private var claimStart = ClaimStart()
    private var assigned: AssignedJobs
    /// How many claims in a row the ledger did not answer.
    private var failedClaims = 0
    private var isTurning = false
    private var mustTurnAgain = false

    init(service: ServiceDefinition, engine: any Engine, floor: WorkerFloor) {
        self.service = service
        self.engine = engine
        self.floor = floor
        metrics = WorkerMetrics(service: service.name, slots: engine.slots)
        assigned = AssignedJobs(hold: floor.settings.ticketHold)
        desk = TicketDesk(slots: engine.slots, hold: floor.settings.ticketHold, retry: floor.settings.retry)
    }

    /// Whether it takes tickets.
    var isConsuming: Bool { subscription != nil }

    /// What the line does, for people.
    var view: (held: Int, running: Int, isPaused: Bool) { (desk.held, desk.running, desk.isPaused) }

    /// Begins to consume; tries until it works or the task is cancelled.
    func open() async {
        let queue = QueueName.tickets(service: service.name)
        let prefetch = desk.prefetch(ticketSize: service.ticketSize)
        let (stream, continuation) = AsyncStream<[Delivery]>.makeStream()
        inlet = Task { [weak self] in
            for await deliveries in stream { await self?.received(deliveries) }
        }
        let opened = await floor.consume(queue, prefetch: prefetch, of: "tickets") { continuation.yield($0) }
        guard let opened else { return }
        guard !desk.isDraining else { return await opened.cancel() }
        subscription = opened
        await turn()
    }

    /// Looks again at what can be done.
    func turn() async {
        guard !isTurning else {
            mustTurnAgain = true
            return
        }
        guard let subscription else { return }
        isTurning = true
        repeat {
            mustTurnAgain = false
            beginAssigned()
            let actions = desk.actions(at: .now, isOpen: floor.isOpen, ready: engine.readySlots)
            for action in actions { await perform(action, on: subscription) }
        } while mustTurnAgain
        isTurning = false
        offer()
        armTimer()
    }

    /// Takes in jobs that App APIs gave to this worker.
    func take(_ entries: [AssignedJobs.Entry]) {
        assigned.add(entries)
        beginAssigned()
        offer()
        armTimer()
    }

    /// Says how many more jobs could begin at once.
    private func offer() {
        let free = desk.offerable(at: .now) - assigned.count
        floor.offers.withLock { $0.note(free: free, of: service.name) }
    }

    /// Begins what was assigned as far as slots are free; what has waited too long for one goes back.
    private func beginAssigned() {
        guard assigned.count > 0 else { return }
        let now = ContinuousClock.now
        let free = subscription == nil ? 0 : desk.startable(at: now, isOpen: floor.isOpen, ready: engine.readySlots)
        for entry in assigned.take(free) {
            desk.began(1)
            start(entry.record, ClaimMoment(sentAt: entry.claimedAt, beatAt: floor.lastBeat, isRepeated: false))
        }
        giveBack(desk.isDraining ? assigned.take(assigned.count) : assigned.takeStale(at: now))
        metrics.runs(desk.running)
    }

    private func giveBack(_ entries: [AssignedJobs.Entry]) {
        for entry in entries {
            guard let lease = entry.record.job.lease else { continue }
            let probe = LeaseProbe(job: entry.record.job.id, lease: lease)
            Task { await floor.handBackAssigned(probe) }
        }
    }

    /// Takes nothing new; what runs goes on.
    func drain() async {
        desk.drain()
        await engine.drain()
        // Not waited for: pausing the consumer takes long while the broker is away, and nothing is delivered then.
        Task { await self.turn() }
    }

    /// Ends the consumer.
    func close() async {
        timer?.task.cancel()
        await subscription?.cancel()
        inlet?.cancel()
    }

    private func received(_ deliveries: [Delivery]) async {
        desk.received(deliveries.map { ($0.tag, Ticket(body: $0.body).count) }, at: .now)
        await turn()
    }

    private func perform(_ action: TicketDesk.Action, on subscription: any Subscription) async {
        switch action {
        case .claim(let leases):
            // Beside the turn: tickets must be taken in while the ledger answers.
            Task { await self.claim(leases) }
        case .settle(let tags, let settlement):
            subscription.settle(tags, settlement)
        case .post(let count):
            // Lost, they are replaced.
            let queue = QueueName.tickets(service: service.name)
            floor.ports.broker.post(service.tickets(count).map { Message(queue: queue, body: $0.body) })
        case .pause:
            do throws(BrokerError) {
                try await subscription.pause()
            } catch {
                // A broken connection delivers nothing either; late tickets are given back as they come.
                floor.log.debug("the consumer could not be paused", metadata: serviceMetadata(error))
            }
        case .resume:
            do throws(BrokerError) {
                try await subscription.resume()
            } catch {
                floor.log.warning("the consumer could not be resumed yet", metadata: serviceMetadata(error))
                desk.resumeFailed(at: .now)
            }
        }
    }

    private func claim(_ leases: [LeaseID]) async {
        let claim = ClaimMoment(sentAt: .now, beatAt: floor.lastBeat, isRepeated: unanswered == leases)
        unanswered = leases
        floor.leases.expect(leases)
        do throws(LedgerError) {
            let records = try await due(for: leases, at: claim.sentAt)
            unanswered = []
            if failedClaims > 0 {
                floor.log.info("jobs are claimed again", metadata: [LogKey.service: "\(service.name)"])
            }
            failedClaims = 0
            let (tickets, surplus) = desk.claimed(jobs: records.count)
            for record in records { start(record, claim) }
            floor.leases.expectNoMore(leases)
            // Lost, an acknowledgement means a ticket too many, which finds nothing.
            if !tickets.isEmpty { subscription?.settle(tickets, .acknowledged) }
            metrics.surplus(surplus)
            metrics.runs(desk.running)
        } catch {
            failedClaims += 1
            // Said once: a ledger that is away is asked again and again.
            floor.log.log(
                level: failedClaims == 1 ? .warning : .debug,
                "jobs could not be claimed, the claim is repeated",
                metadata: serviceMetadata(error)
            )
            desk.claimFailed(at: .now)
        }
        await turn()
    }

    /// Claims from where the last look at all jobs found the first, and from the beginning when that gives too few.
    private func due(
        for leases: [LeaseID],
        at moment: ContinuousClock.Instant
    ) async throws(LedgerError) -> [JobRecord] {
        let (ledger, worker) = (floor.ports.ledger, floor.id)
        if let rank = claimStart.rank(at: moment) {
            let found = try await ledger.claim(service: service.name, worker: worker, leases: leases, from: rank)
            if found.count == leases.count { return found }
            // What of it is stopped meanwhile is not in the next answer, and its lease may come with another job.
            floor.leases.expect(leases)
        }
        let found = try await ledger.claim(service: service.name, worker: worker, leases: leases)
        let ranks = found.map(\.job.rank)
        claimStart.lookedAtAll(first: ranks.count == leases.count ? ranks.min() : nil, at: moment)
        return found
    }

    private func start(_ record: JobRecord, _ claim: ClaimMoment) {
        let claimedAt = ContinuousClock.now
        guard let lease = record.job.lease else {
            floor.log.error("the ledger claimed a job without a lease", metadata: [LogKey.job: "\(record.job.id)"])
            desk.ended(handedBack: true, at: claimedAt)
            return
        }
        let run = JobRun(
            record: record,
            lease: lease,
            claimedAt: claimedAt,
            sentAt: claim.sentAt,
            isRepeated: claim.isRepeated,
            engine: engine,
            service: service,
            floor: floor,
            metrics: metrics
        )
        metrics.claimed(record.job)
        let word = LeaseWord(claimSentAt: claim.sentAt, beatAt: claim.beatAt)
        floor.leases.add(record.job, lease: lease, claimedAt: claimedAt, word: word, limit: run.waitingLimit)
        guard !desk.isDraining else {
            desk.ended(handedBack: true, at: claimedAt)
            Task { await floor.handBack(LeaseProbe(job: record.job.id, lease: lease)) }
            return
        }
        // Its own task, to be cancelled by its lease; the table holds it until the job has ended.
        let task = Task {
            await run.run { await self.ended($0) }
        }
        floor.leases.attach(task, to: lease)
    }

    private func ended(_ end: JobRun.End) async {
        desk.ended(handedBack: end.wasHandedBack, at: .now)
        metrics.runs(desk.running)
        await turn()
    }

    private func armTimer() {
        guard let at = [desk.nextWake(), assigned.nextWake].compactMap({ $0 }).min() else { return }
        if let timer, timer.at <= at { return }
        timer?.task.cancel()
        timer = (
            at,
            Task { [weak self] in
                do { try await Task.sleep(until: at, clock: .continuous) } catch { return }
                await self?.timerFired()
            }
        )
    }

    private func timerFired() async {
        timer = nil
        await turn()
    }

    private func serviceMetadata(_ error: any Error) -> Logger.Metadata {
        [LogKey.service: "\(service.name)", LogKey.error: "\(error)"]
    }
}
