// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
public import Logging
internal import Plumbing
internal import ResultStore
public import ServiceLifecycle
internal import Workflow

/// The worker role: takes the jobs of its services, runs them on its engines and says how they ended.
///
/// See design.md, "The life of a job". As a `Service` it runs until a graceful shutdown and drains then: it takes
/// nothing new, finishes what runs or hands it back, and leaves when the ledger has every result.
public actor ServiceWorker: Service {
    /// The worker's id: its name plus a boot UUID.
    public nonisolated let id: String
    nonisolated let floor: WorkerFloor
    let lines: [ServiceLine]
    private let inlet: AssignmentInlet
    private let wake: WorkerWake
    private var loops: [Task<Void, Never>] = []
    private(set) var isDraining = false
    private var failedBeats = 0
    private var strayLook: Task<Void, Never>?

    /// Makes a worker that takes nothing yet.
    ///
    /// - Parameter engines: an engine by the name of each service; a service without one is left out, with a log line.
    public init(
        _ settings: WorkerSettings,
        ports: WorkerPorts,
        engines: [String: any Engine],
        log: Logger = Logger(label: "malla.worker")
    ) {
        let id = "\(settings.name)-\(MeshID())"
        var log = log
        log[metadataKey: LogKey.worker] = "\(id)"
        let wake = WorkerWake()
        self.id = id
        self.wake = wake
        let floor = WorkerFloor(id: id, settings: settings, ports: ports, log: log) { wake.fire() }
        self.floor = floor
        let lines = settings.services.compactMap { service -> ServiceLine? in
            guard let engine = engines[service.name] else {
                log.error("a service has no engine and is left out", metadata: [LogKey.service: "\(service.name)"])
                return nil
            }
            return ServiceLine(service: service, engine: engine, floor: floor)
        }
        self.lines = lines
        inlet = AssignmentInlet(floor: floor, lines: lines)
    }

    /// How long a drain takes at most while the servers answer: what runs, stopping it by force, the last completions.
    public nonisolated var longestDrain: Duration {
        floor.settings.drainTimeout + floor.settings.settleTimeout + .seconds(5)
    }

    /// Runs until a graceful shutdown, then drains; when cancelled it gives back what runs without waiting for it.
    public func run() async throws {
        await start()
        var timeout = floor.settings.drainTimeout
        do { try await gracefulShutdown() } catch { timeout = .zero }
        // Not a child: a cancelled task could not even hand back what it holds.
        let limit = timeout
        await Task { await self.drain(timeout: limit) }.value
    }

    /// Starts the engines, the beats and, once the ledger knows the worker, the consumers.
    public func start() async {
        let lines = lines
        let floor = floor
        let wake = wake
        floor.outbox.whenRoom { wake.fire() }
        let nearlyFull = WorkerWake()
        floor.outbox.whenNearlyFull { nearlyFull.fire() }
        floor.beats { [weak self] in await self?.beatRow() }
        for line in lines {
            line.engine.whenOpened { wake.fire() }
            await line.engine.start()
        }
        loops = [
            Task { await self.beatLoop() },
            Task { for await _ in nearlyFull.signals { await self.lookEarly() } },
            Task {
                for await _ in wake.signals { for line in lines { await line.turn() } }
            },
            Task {
                for await hint in floor.ports.results.hints() {
                    guard case .cancelled(let leases) = hint else { continue }
                    for lease in leases { floor.leases.hint(lease) }
                }
            },
        ]
        loops += lines.map { line in Task { await line.open() } }
        loops.append(Task { await inlet.open() })
        floor.log.info(
            "the worker takes jobs",
            metadata: [LogKey.service: "\(lines.map(\.service.name).joined(separator: ","))"]
        )
    }

    /// Takes nothing new, waits up to `timeout` for what runs, hands the rest back and leaves.
    public func drain(timeout: Duration) async {
        guard !isDraining else { return }
        isDraining = true
        floor.log.info("the worker drains", metadata: [LogKey.count: "\(floor.leases.running)"])
        floor.offers.withLock { $0.close() }
        floor.outbox.confirmAll()
        await atOnce { await $0.drain() }
        await waitForRuns(timeout)
        for entry in floor.leases.entries where entry.phase == .running { floor.leases.stop(entry.lease, .drained) }
        await waitForRuns(.seconds(2))
        // By force now: what an engine still runs comes back as handed back.
        await atOnce { await $0.engine.stop() }
        await waitForRuns(.seconds(2))
        let isClean = await waitUntilSettled()
        await strayLook?.value
        // App APIs may go by what they were offered a moment ago; what they send until then is given back as it comes.
        if let end = floor.offers.withLock({ $0.end }) { try? await Task.sleep(until: end, clock: .continuous) }
        await inlet.close()
        await floor.giveBackLast()
        for loop in loops { loop.cancel() }
        await atOnce { await $0.close() }
        await leave(isClean: isClean)
    }

    /// Does something with all lines side by side: one that waits for a broker that is away keeps no other waiting.
    private func atOnce(_ body: @escaping @Sendable (ServiceLine) async -> Void) async {
        await withDiscardingTaskGroup { group in
            for line in lines { group.addTask { await body(line) } }
        }
    }

    private func waitForRuns(_ timeout: Duration) async {
        let leases = floor.leases
        guard timeout > .zero else { return }
        await withTaskGroup(of: Void.self) { group in
            // Either may throw only because the other was first.
            group.addTask { try? await leases.waitUntilIdle() }
            group.addTask { try? await Task.sleep(for: timeout) }
            await group.next()
            group.cancelAll()
        }
    }

    private func waitUntilSettled() async -> Bool {
        let until = ContinuousClock.now + floor.settings.settleTimeout
        while floor.outbox.count > 0 || !floor.leases.entries.isEmpty {
            guard ContinuousClock.now < until else { return false }
            await beat()
            guard floor.outbox.count > 0 || !floor.leases.entries.isEmpty else { return true }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { return false }
        }
        return true
    }

    private func leave(isClean: Bool) async {
        guard isClean else {
            floor.log.warning(
                "the worker leaves before all was settled; its jobs are requeued when its beat is too old",
                metadata: [LogKey.count: "\(floor.outbox.count + floor.leases.entries.count)"]
            )
            return
        }
        do throws(LedgerError) {
            try await floor.ports.ledger.retire(worker: id)
        } catch {
            floor.log.warning("the worker's row could not be removed", metadata: [LogKey.error: "\(error)"])
        }
        floor.log.info("the worker has left")
    }

    private func beatLoop() async {
        var isFirst = true
        while !Task.isCancelled {
            let isKnown = await beat()
            if isKnown, isFirst {
                isFirst = false
                wake.fire()
            }
            let delay =
                isKnown || !isFirst
                ? floor.settings.beatInterval : floor.settings.retry.delay(afterFailures: failedBeats)
            do { try await Task.sleep(for: delay) } catch { return }
        }
    }

    /// Renews the worker's row and does what the ledger says of each lease; false when it could not be asked.
    @discardableResult
    func beat() async -> Bool {
        let begun = ContinuousClock.now
        let entries = floor.leases.entries
        let probes = entries.map { LeaseProbe(job: $0.job.id, lease: $0.lease) } + floor.outbox.probes
        let standings: [LeaseProbe.Standing]
        do throws(LedgerError) {
            try await floor.clock.refresh()
            standings = try await floor.ports.ledger.beat(await beatRow(), leases: probes)
        } catch {
            failedBeats += 1
            if failedBeats == 1 {
                floor.log.warning("the worker could not beat", metadata: [LogKey.error: "\(error)"])
            }
            floor.outbox.resend()
            return false
        }
        if failedBeats > 0 { floor.log.info("the worker beats again", metadata: [LogKey.count: "\(failedBeats)"]) }
        failedBeats = 0
        floor.markBeaten(begun)
        obey(floor.certain(zip(probes, standings), at: begun), entries: entries, begun: begun)
        floor.outbox.resend()
        lookForStrays()
        return true
    }

    /// Looks beside the beats, which must not wait for it: a row that it gives back may be locked.
    private func lookForStrays() {
        guard strayLook == nil, !isDraining, floor.offers.withLock({ $0.mayBeOwed }) else { return }
        strayLook = Task {
            await floor.giveBackStrays()
            strayLook = nil
        }
    }

    /// Asks what of the outbox is settled while it is nearly full: a fast worker would stand still until the next beat.
    private func lookEarly() async {
        var looks = EarlyLooks()
        while floor.outbox.isNearlyFull, !Task.isCancelled {
            let begun = ContinuousClock.now
            let probes = floor.outbox.nextProbes()
            guard !probes.isEmpty else { return }
            // The next beat reports a ledger that is away.
            guard let standings = try? await floor.ports.ledger.beat(await beatRow(), leases: probes) else { return }
            floor.markBeaten(begun)
            let settled = floor.certain(zip(probes, standings), at: begun).filter { $1 != .held }.map(\.0.lease)
            floor.outbox.forget(settled, isBetweenBeats: true)
            let pause = looks.pause(
                asked: probes.count,
                settled: settled.count,
                from: begun,
                to: .now
            )
            guard let pause else { return }
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    private func obey(
        _ standings: [(LeaseProbe, LeaseProbe.Standing)],
        entries: [LeaseTable.Entry],
        begun: ContinuousClock.Instant
    ) {
        let held = Dictionary(uniqueKeysWithValues: entries.map { ($0.lease, $0) })
        var done: [LeaseID] = []
        for (probe, standing) in standings {
            switch (standing, held[probe.lease]?.phase) {
            case (.held, nil): break
            case (.held, .running?): floor.leases.confirm([probe.lease], beatAt: begun)
            case (.held, .returning?): Task { await floor.handBack(probe) }
            case (.held, .parked(let since)?):
                // A hint that the ledger knows nothing of. A passed deadline stays parked: the timer loop's work.
                let isHint = held[probe.lease]?.stopReason == .hinted
                if since < begun, isHint || isDraining { Task { await floor.handBack(probe) } }
            case (_, .running?): floor.leases.stop(probe.lease, .forgotten)
            case (_, _?): floor.leases.remove([probe.lease])
            case (_, nil): done.append(probe.lease)
            }
        }
        floor.outbox.forget(done)
    }

    private func beatRow() async -> WorkerBeat {
        let slots = lines.reduce(0) { $0 + $1.engine.slots }
        return WorkerBeat(
            worker: id,
            name: floor.settings.name,
            services: lines.map(\.service.name),
            slots: slots,
            running: floor.leases.running,
            isDraining: isDraining,
            trouble: await troubleJSON()?.bytes
        )
    }
}
