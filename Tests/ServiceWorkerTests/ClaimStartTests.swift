// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceWorker

/// From which rank on a line claims.
@Suite(.timeLimit(.minutes(1))) struct ClaimStartTests {
    @Test func aLookAtAllHoldsForAMoment() {
        let now = ContinuousClock.now
        var start = ClaimStart()
        #expect(start.rank(at: now) == nil)
        start.lookedAtAll(first: 70, at: now)
        #expect(start.rank(at: now + .milliseconds(49)) == 70)
        #expect(start.rank(at: now + .milliseconds(50)) == nil)
        start.lookedAtAll(first: nil, at: now + .milliseconds(60))
        #expect(start.rank(at: now + .milliseconds(61)) == nil, "where too few were found, nothing is passed over")
    }

    @Test func aBusyLineBeginsWhereItFoundTheFirst() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0 }, slots: 4)
        await worker.start()
        repeat {
            let jobs = try await fixture.add(100)
            #expect(await settled.first(jobs.count).count == jobs.count)
        } while fixture.ledger.ranks.isEmpty
        await worker.drain(timeout: .seconds(5))
    }

    /// A job that is more urgent than those before it has a ticket, and that must find it.
    @Test func whatComesBeforeTheStartIsFoundWhenThereIsNothingElse() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0 }, slots: 4)
        await worker.start()
        for rank in (1...20).reversed() {
            let job = try await fixture.add(1) { $0.rank = Int64(rank) }[0]
            #expect(await settled.first(1).first?.completion.job == job.id)
        }
        await worker.drain(timeout: .seconds(5))
    }
}
