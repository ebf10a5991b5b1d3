// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Ledger
import LedgerSQLite
import Logging
import Plumbing
import ResultStoreInProcess
import Testing
import Workflow

@testable import AppAPI

@Suite(.timeLimit(.minutes(1))) struct ReapedJobTests {
    @Test func jobsOfUnknownServicesAreLeftToTheirOwnAPIs() async throws {
        let fixture = try await MarketplaceFixture()
        // The unknown service's job is the older one: handed over at all, it would come first.
        for (service, age) in [("elsewhere", Duration.seconds(9)), ("alpha", .zero)] {
            let job = Job(id: MeshID(at: .now - age), service: service, createdAt: .now)
            try await fixture.ledger.create([JobRecord(job: job, input: Array("{}".utf8))])
            // By a worker that never beats: a dead one.
            #expect(try await fixture.ledger.claim(service: service, worker: "w", leases: [MeshID()]).count == 1)
        }
        let service = ServiceDefinition(name: "alpha", engine: .native(handler: "echo", options: .null))
        let catalog = AppCatalog(apps: [], services: [service])
        let parts = fixture.parts
        let logger = parts.logger
        let delivery = CallbackDelivery(
            settings: fixture.settings.callbacks,
            trusted: parts.trustedHTTP,
            guarded: parts.guardedHTTP,
            ledger: parts.ledger,
            logger: logger
        )
        let sender = CallbackSender(delivery: delivery)
        var limits = LedgerTimers.Limits()
        limits.reapAge = .milliseconds(200)
        let desk = HandOverDesk(
            port: fixture.handedOver,
            broker: parts.broker,
            ledger: fixture.ledger,
            catalog: catalog,
            logger: logger
        )
        let timers = AppTimers(
            ledger: fixture.ledger,
            timers: LedgerTimers(ledger: fixture.ledger, apps: [], finishing: fixture.finishing, limits: limits),
            apps: [],
            services: Set(catalog.services.keys),
            followUp: CommitFollowUp(
                desk: desk,
                assignments: AssignmentDesk(
                    broker: parts.broker,
                    ledger: fixture.ledger,
                    handOver: desk,
                    results: fixture.results,
                    ledgerClock: parts.clock,
                    logger: logger
                ),
                results: fixture.results,
                sender: sender,
                backlog: BacklogGauge(ledger: fixture.ledger, catalog: catalog),
                resultTTL: .seconds(60),
                logger: logger
            ),
            sender: sender,
            interval: .milliseconds(20),
            logger: logger
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await timers.run() }
            let first = try #require(await fixture.handedOver.jobs.first { _ in true })
            #expect(first.service == "alpha")
            group.cancelAll()
        }
        // Reaped was the other one too.
        #expect(try await fixture.ledger.claim(service: "elsewhere", worker: "w", leases: [MeshID()]).count == 1)
    }
}
