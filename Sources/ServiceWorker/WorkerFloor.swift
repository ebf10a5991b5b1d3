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
    private let returns: Batcher<LeaseProbe, Void>
    private let hasBeaten = Atomic(false)

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
        outbox = Outbox(ports: ports, settings: settings, log: log)
        gate = AloneGate(opened: opened)
        let leases = leases
        returns = Batcher { probes in
            do throws(LedgerError) {
                let jobs = try await ports.ledger.handBack(probes)
                leases.remove(probes.map(\.lease))
                ports.broker.post(
                    jobs.map { job in
                        let queue = QueueName.tickets(service: job.service)
                        return Message(queue: queue, body: Ticket(job: job.id).body, trace: job.trace)
                    }
                )
                return probes.map { _ in .success(()) }
            } catch {
                return probes.map { _ in .failure(error) }
            }
        }
    }

    /// Whether new jobs may be claimed: the ledger knows this worker, nobody runs alone, the outbox has room.
    var isOpen: Bool { hasBeaten.load(ordering: .relaxed) && gate.isOpen && !outbox.isFull }

    /// The ledger has this worker's row: from now on its jobs are not taken for orphans.
    func markBeaten() { hasBeaten.store(true, ordering: .relaxed) }

    /// Gives leases back to be claimed by others; where the ledger is away the next beat tries again.
    func handBack(_ probe: LeaseProbe) async {
        leases.set(.returning, of: probe.lease)
        do {
            // Its own task: the caller is often the very task that was cancelled.
            try await Task { try await returns.submit(probe) }.value
        } catch {
            log.warning(
                "a lease could not be handed back and will be at the next beat",
                metadata: [
                    LogKey.job: "\(probe.job)", LogKey.lease: "\(probe.lease)", LogKey.error: "\(error)",
                ]
            )
        }
    }
}
