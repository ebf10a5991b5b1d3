// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Ledger
import LedgerSQLite
import Logging
import MallaTestKit
import Plumbing
import ServiceLifecycle
import Testing
import Workflow

@testable import ServiceAPI

/// What a worker elsewhere handed in is not lost with its message.
@Suite(.timeLimit(.minutes(1))) struct ReportOutboxTests {
    private let broker = InProcessBroker()
    private let ledger: SQLiteLedger
    private let outbox: ReportOutbox
    private let queue = QueueName.completions(app: "shop")

    init() async throws {
        ledger = try SQLiteLedger.inMemory()
        try await ledger.migrate()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        outbox = ReportOutbox(ledger: ledger, broker: broker, logger: logger, interval: .milliseconds(20))
    }

    /// A job of an app that a worker elsewhere holds for a second.
    private func claimed() async throws -> LeaseProbe {
        let job = Job(id: MeshID(), app: "shop", service: "echo", createdAt: .now)
        try await ledger.create([JobRecord(job: job, input: Array("{}".utf8))])
        let claim = RemoteClaim(service: "echo", worker: "w", leases: [LeaseID()], duration: .seconds(1))
        let lease = try #require(try await ledger.claim(claim).first?.job.lease)
        return LeaseProbe(job: job.id, lease: lease)
    }

    private func letter(_ text: String) -> Message { Message(queue: queue, body: Array(text.utf8)) }

    @Test func aLostMessageComesAgainUntilItIsSettled() async throws {
        // The broker has lost its data: there is not even the queue.
        let probe = try await claimed()
        outbox.keep(letter("first"), probe)
        let group = ServiceGroup(services: [outbox], logger: Logger(label: "test"))
        let running = Task { try await group.run() }
        for _ in 0..<2 {
            try await until { (try await broker.depth(of: queue) ?? 0) > 0 }
            let deliveries = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 10) { deliveries.take($0) }
            let taken = try await deliveries.wait(for: 1)
            #expect(taken.allSatisfy { $0.body == Array("first".utf8) })
            // As an App API does that can't fetch a large result.
            subscription.settle(taken.map(\.tag), .acknowledged)
            await subscription.cancel()
        }
        let heldUntil = try #require(try await ledger.job(probe.job)?.job.leaseUntil)
        #expect(heldUntil > .now + .seconds(500), "its job does not run again meanwhile")
        let settlement = Settlement(job: probe.job, event: .completed(lease: probe.lease), result: Array("1".utf8))
        _ = try await ledger.settle([settlement], tasks: [], finishing: DirectFinishing())
        try await until { outbox.count == 0 }
        await group.triggerGracefulShutdown()
        try await running.value
    }

    @Test func whatIsSettledOrTakenAwayIsForgottenUnsent() async throws {
        let probes = [try await claimed(), try await claimed()]
        for probe in probes { outbox.keep(letter("late"), probe) }
        _ = try await ledger.handBack([probes[0]])
        outbox.forget([probes[1].lease])
        #expect(outbox.count == 1)
        await outbox.turn()
        #expect(outbox.count == 0)
        #expect(try await broker.depth(of: queue) == nil)
    }

    @Test func aLedgerThatIsAwayLosesNothing() async throws {
        outbox.keep(letter("kept"), try await claimed())
        await ledger.close()
        await outbox.turn()
        #expect(outbox.count == 1)
    }
}
