// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Ledger
internal import Logging
internal import Plumbing
internal import Synchronization
internal import Workflow

/// What the lines of one worker share: the leases, the outbox, the gate, and the way back to the queue.
final class WorkerFloor: Sendable {
    let id: String
    let settings: WorkerSettings
    let ports: WorkerPorts
    let log: Logger
    let leases = LeaseTable()
    let outbox: Outbox
    let gate: AloneGate
    let arrivals = Arrivals()
    /// What this worker offers to App APIs.
    let offers: OfferBox
    /// By which what comes from App APIs is dated.
    let clock: LedgerClock
    /// Tells of each whether the ledger took it back.
    private let returns: Batcher<LeaseProbe, Bool>
    private let words: LeaseWords
    private let beatenAt = Mutex<ContinuousClock.Instant?>(nil)

    /// Makes it; `opened` is called when new jobs may come again.
    init(
        id: String,
        settings: WorkerSettings,
        ports: WorkerPorts,
        log: Logger,
        opened: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.settings = settings
        self.ports = ports
        self.log = log
        clock = LedgerClock(ports.ledger)
        offers = OfferBox(worker: id, clock: clock)
        outbox = Outbox(ports: ports, settings: settings, offers: offers, log: log)
        gate = AloneGate(opened: opened)
        let leases = leases
        words = LeaseWords(ledger: ports.ledger, leases: leases)
        returns = Batcher { probes in
            do throws(LedgerError) {
                let jobs = try await ports.ledger.handBack(probes)
                let taken = Set(jobs.map(\.id))
                // The beats try again with what may be about to be committed.
                let now = ContinuousClock.now
                leases.remove(
                    probes.filter { taken.contains($0.job) || !leases.isYoung($0.lease, at: now) }.map(\.lease)
                )
                ports.broker.post(
                    jobs.map { job in
                        let queue = QueueName.tickets(service: job.service)
                        return Message(queue: queue, body: Ticket(job: job.id).body, trace: job.trace)
                    }
                )
                return probes.map { .success(taken.contains($0.job)) }
            } catch {
                return probes.map { _ in .failure(error) }
            }
        }
        offers.bind { [weak self] in self?.isWellBeaten == true }
    }

    /// Whether new jobs may be claimed: the ledger knows this worker, nobody runs alone, the outbox has room.
    var isOpen: Bool { lastBeat != nil && gate.isOpen && !outbox.isFull }

    /// Whether it may offer slots: a worker that can't reach the ledger begins nothing, and is taken for dead soon.
    private var isWellBeaten: Bool {
        isOpen && lastBeat.map { ContinuousClock.now < $0 + LeaseWord.lease - .seconds(1) } == true
    }

    /// The ledger has this worker's row: from now on its jobs are not taken for orphans.
    ///
    /// - Parameter beatAt: when the beat was sent.
    func markBeaten(_ beatAt: ContinuousClock.Instant) {
        beatenAt.withLock { $0 = max($0 ?? beatAt, beatAt) }
    }

    /// When the last beat that the ledger took was sent; nil when it has taken none.
    var lastBeat: ContinuousClock.Instant? { beatenAt.withLock { $0 } }

    /// Names what the worker's beats say, for the beats that ask for a word on a lease.
    func beats(with row: @escaping @Sendable () async -> WorkerBeat?) {
        words.beats(from: LeaseWords.Source(row: row) { [weak self] in self?.markBeaten($0) })
    }

    /// The permit of a job to begin: it holds while the ledger's word on its lease is young.
    func permit(_ probe: LeaseProbe, deadlineAt: ContinuousClock.Instant?) -> BeginPermit {
        let leases = leases
        return BeginPermit(
            isFresh: { now in
                guard deadlineAt.map({ now < $0 }) ?? true else { return false }
                return leases.word(on: probe.lease)?.isFresh(now) ?? false
            },
            confirm: { [weak self] in await self?.mayBegin(probe, deadlineAt: deadlineAt) ?? false },
            until: {
                guard let until = leases.word(on: probe.lease)?.until else { return .now }
                return deadlineAt.map { min($0, until) } ?? until
            }
        )
    }

    /// Waits until the ledger has said lately that the lease is held; false when the job must not begin any more.
    private func mayBegin(_ probe: LeaseProbe, deadlineAt: ContinuousClock.Instant?) async -> Bool {
        var asked = 0
        var failures = 0
        while !Task.isCancelled {
            let now = ContinuousClock.now
            guard deadlineAt.map({ now < $0 }) ?? true else {
                leases.stop(probe.lease, .deadline)
                return false
            }
            guard let word = leases.word(on: probe.lease) else { return false }
            if word.isFresh(now) { return true }
            // Where every answer takes long no word is ever young: then the lease must do.
            if (asked >= 1 && word.isSafe(now) && now < word.at + LeaseWord.slow) || (asked >= 3 && word.isSafe(now)) {
                leases.trust(probe.lease, at: now)
                return true
            }
            do {
                try await words.ask(probe)
                asked += 1
            } catch {
                failures += 1
                do { try await Task.sleep(for: settings.retry.delay(afterFailures: failures)) } catch { return false }
            }
        }
        return false
    }

    /// What the ledger said of leases, but of those whose jobs it may only not know yet: they are being committed.
    func certain(
        _ standings: some Sequence<(LeaseProbe, LeaseProbe.Standing)>,
        at now: ContinuousClock.Instant
    ) -> [(LeaseProbe, LeaseProbe.Standing)] {
        standings.filter { probe, standing in
            standing != .unknown || !(leases.isYoung(probe.lease, at: now) || outbox.isYoung(probe.lease, at: now))
        }
    }

    /// Gives leases back to be claimed by others; where the ledger is away the next beat tries again.
    ///
    /// - Returns: whether the ledger took it back.
    @discardableResult
    func handBack(_ probe: LeaseProbe) async -> Bool {
        leases.set(.returning, of: probe.lease)
        do {
            // Its own task: the caller is often the very task that was cancelled.
            return try await Task { try await returns.submit(probe) }.value
        } catch {
            log.warning(
                "a lease could not be handed back and will be at the next beat",
                metadata: [
                    LogKey.job: "\(probe.job)", LogKey.lease: "\(probe.lease)", LogKey.error: "\(error)",
                ]
            )
            return false
        }
    }

    /// Gives back an assigned job that did not begin here; it may be about to be committed, so that there is nothing to
    /// take back yet.
    func handBackAssigned(_ probe: LeaseProbe) async {
        let until = ContinuousClock.now + LeaseWord.lead
        var failures = 0
        while !(await handBack(probe)), ContinuousClock.now < until {
            failures += 1
            do { try await Task.sleep(for: settings.retry.delay(afterFailures: failures)) } catch { return }
        }
    }
}
