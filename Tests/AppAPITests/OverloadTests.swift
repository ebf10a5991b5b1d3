// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import LedgerSQLite
import Logging
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import AppAPI

/// What callers and operators see while more waits than can be done soon.
@Suite struct OverloadTests {
    /// A clock that stands until it is moved.
    private final class Clock: Sendable {
        private let instant = Mutex(ContinuousClock.now)

        var now: ContinuousClock.Instant { instant.withLock { $0 } }

        func move(_ duration: Duration) { instant.withLock { $0 += duration } }
    }

    /// An App API whose service alpha did 100 jobs a second lately, with as many jobs more as `open`.
    private static func fixture(open: Int, _ clock: Clock) async throws -> MarketplaceFixture {
        let fixture = try await MarketplaceFixture { $0.queueClock = { clock.now } }
        let backlog = fixture.api.backlog
        var jobs: [Job] = []
        try await fixture.serve { client in
            _ = try await client.call(request: "before")
        }
        jobs = try await fixture.ledger.claim(service: "alpha", worker: "w-1", leases: [MeshID()]).map(\.job)
        let job = try #require(jobs.first)
        try await backlog.refresh()
        backlog.addLater(Array(repeating: job, count: 1000))
        clock.move(.seconds(10))
        try await backlog.refresh()
        backlog.addLater(Array(repeating: job, count: open))
        return fixture
    }

    @Test func tooMuchIsRefusedWith429AndATimeAndToldByReadyz() async throws {
        let clock = Clock()
        let fixture = try await Self.fixture(open: 2000, clock)
        try await fixture.serve { client in
            var taken = 0
            var last = try await client.call(request: "r-0")
            while last.status == 200, taken < 500 {
                taken += 1
                last = try await client.call(request: "r-\(taken)")
            }
            #expect((40...50).contains(taken), "half of what it can do in a second: \(taken)")
            #expect(last.status == 429 && last.code == "CO_401" && last.isRefusal && last.reason.contains("overload"))
            let wait = try #require(last.headers[.retryAfter].flatMap { Int($0) })
            #expect((30...60).contains(wait), "20 s of work, at half the rate, down to 2.5 s: \(wait)")
            // A repeat of what was taken needs no room.
            #expect(try await client.call(request: "r-0").status == 200)
            let ready = try await client.send(.get, "/readyz", token: nil)
            #expect(ready.status == 200 && ready.json["status"] == "ready")
            #expect(ready.json["overload"]?.array?.first?["workflow"] == "contract/chain")
            // Another workflow's tasks go to the same service; a method that does not exist is still told.
            let unknown = try await client.send(.post, "/call", ["method": "nope"])
            #expect(unknown.code == "CO_403")
            clock.move(.seconds(1))
            #expect(try await client.call(request: "next second").status == 200)
            // Nothing waits any more by the ledger.
            clock.move(.seconds(20))
            try await fixture.api.backlog.refresh()
            for number in 0..<200 {
                let answer = try await client.call(request: "after-\(number)")
                #expect(answer.status == 200)
            }
            let later = try await client.send(.get, "/readyz", token: nil)
            #expect(later.json["overload"]?.array == nil)
        }
    }

    @Test func aShortQueueRefusesNobody() async throws {
        let fixture = try await Self.fixture(open: 300, Clock())
        try await fixture.serve { client in
            for number in 0..<150 {
                let answer = try await client.call(request: "r-\(number)")
                #expect(answer.status == 200)
            }
        }
    }
}
