// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Dispatch
import Hummingbird
import Ledger
import Logging
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import AppAPI
@testable import LedgerSQLite

/// What callers and operators see while more waits than can be done soon.
@Suite struct OverloadTests {
    /// A clock that stands until it is moved.
    private final class Clock: Sendable {
        private let instant = Mutex(ContinuousClock.now)

        var now: ContinuousClock.Instant { instant.withLock { $0 } }

        func move(_ duration: Duration) { instant.withLock { $0 += duration } }
    }

    /// Begins with a second in which 100 tasks came and service alpha did 100 jobs, while so many waited all the time.
    private static func begin(
        _ fixture: MarketplaceFixture,
        _ client: MarketplaceClient,
        waiting: Int,
        _ clock: Clock
    ) async throws {
        func learn(_ waiting: Int) {
            let load = ServiceLoad(service: "alpha", waiting: waiting, due: waiting)
            fixture.api.backlog.learn([load], created: ["alpha": 110])
        }
        learn(waiting)
        for number in 0..<100 {
            let answer = try await client.call(request: "before-\(number)")
            #expect(answer.status == 200)
        }
        clock.move(.seconds(1))
        learn(waiting + 10)
    }

    @Test func tooMuchIsRefusedWith429AndATimeAndToldByReadyz() async throws {
        let clock = Clock()
        let fixture = try await MarketplaceFixture { $0.queueClock = { clock.now } }
        try await fixture.serve { client in
            try await Self.begin(fixture, client, waiting: 2000, clock)
            var taken = 0
            var last = try await client.call(request: "r-0")
            while last.status == 200, taken < 500 {
                taken += 1
                last = try await client.call(request: "r-\(taken)")
            }
            #expect((20...25).contains(taken), "half of what it can do in a second, for two users: \(taken)")
            #expect(last.status == 429 && last.code == "CO_401" && last.isRefusal && last.reason.contains("overload"))
            let wait = try #require(last.headers[.retryAfter].flatMap { Int($0) })
            #expect((30...32).contains(wait), "2,010 jobs, at half the rate, down to 500: \(wait)")
            // A repeat of what was taken needs no room.
            #expect(try await client.call(request: "r-0").status == 200)
            let ready = try await client.send(.get, "/readyz", token: nil)
            #expect(ready.status == 200 && ready.json["status"] == "ready")
            let told = ready.json["overload"]?.array ?? []
            #expect(told.contains { $0["workflow"] == "contract/chain" && $0["waitSeconds"] == 20 })
            // A method that does not exist is still told.
            let unknown = try await client.send(.post, "/call", ["method": "nope"])
            #expect(unknown.code == "CO_403")
            clock.move(.seconds(1))
            #expect(try await client.call(request: "next second").status == 200)
            // Little waits by the ledger, and nobody is refused between two looks.
            for _ in 0..<2 {
                clock.move(.seconds(10))
                try await fixture.api.backlog.refresh()
            }
            for number in 0..<200 {
                let answer = try await client.call(request: "after-\(number)")
                #expect(answer.status == 200)
            }
            let later = try await client.send(.get, "/readyz", token: nil)
            #expect(later.json["overload"]?.array == nil)
        }
    }

    @Test func noMoreThanSoManyWaitToBeStoredAndALedgerThatHangsIsTold() async throws {
        let clock = Clock()
        let fixture = try await MarketplaceFixture { $0.queueClock = { clock.now } }
        let (begun, release) = (OneShot<Void>(), DispatchSemaphore(value: 0))
        let hang = Task { [ledger = fixture.ledger] in
            // Blocks the ledger's own thread, as a disk that does not answer would.
            try await ledger.write {
                _ in
                begun.finish(.success(()))
                release.wait()
            }
        }
        try await begun.value()
        let intake = fixture.api.marketplace.intake
        try await fixture.serve { client in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<TaskIntake.storingAtMost {
                    group.addTask { try await client.call(request: "r-\(number)").status }
                }
                try await until { intake.isStoringAtMost }
                let busy = try await client.call(request: "one more")
                #expect(busy.status == 429 && busy.code == "CO_401" && busy.headers[.retryAfter] == "1")
                clock.move(.seconds(2))
                let away = try await client.call(request: "one more")
                #expect(away.status == 503 && away.isRefusal && away.headers[.retryAfter] == "2")
                #expect(away.reason.contains("1024 requests wait to be stored"), "\(away.reason)")
                release.signal()
                for try await status in group { #expect(status == 200) }
            }
            #expect(try await client.call(request: "one more").status == 200)
        }
        try await hang.value
    }

    @Test func aShortQueueRefusesNobody() async throws {
        let clock = Clock()
        let fixture = try await MarketplaceFixture { $0.queueClock = { clock.now } }
        try await fixture.serve { client in
            try await Self.begin(fixture, client, waiting: 300, clock)
            for number in 0..<150 {
                let answer = try await client.call(request: "r-\(number)")
                #expect(answer.status == 200)
            }
        }
    }

    @Test func completionsThatWaitToBeSettledAreCountedAtTheBroker() async throws {
        let clock = Clock()
        let fixture = try await MarketplaceFixture { $0.queueClock = { clock.now } }
        let (backlog, broker) = (fixture.api.backlog, fixture.parts.broker)
        let queue = QueueName.completions(app: "contract")
        try await broker.declare(queue)
        let chain = try #require(fixture.api.marketplace.catalog.apps["contract"]?.methods["chain"])
        for second in 0..<4 {
            #expect(second > 1 || backlog.rationed.isEmpty, "one look tells nothing")
            // 100 jobs a second come and are settled, and 600 more are done; of all others nobody asks for a task.
            try await broker.publish((0..<600).map { _ in Message(queue: queue, body: []) })
            try await backlog.countCompletions(of: [queue], at: broker)
            backlog.learn([ServiceLoad(service: "alpha", waiting: 0, due: 0)], created: ["alpha": 100])
            _ = backlog.overload(chain, user: "ada")
            clock.move(.seconds(1))
        }
        #expect(backlog.rationed.map(\.name) == ["contract/chain"] && backlog.rationed[0].wait >= .seconds(20))
    }

    @Test func jobsOfOthersAreCountedByTheLedger() async throws {
        let clock = Clock()
        let fixture = try await MarketplaceFixture { $0.queueClock = { clock.now } }
        let backlog = fixture.api.backlog
        for round in 0..<3 {
            let now = try await fixture.ledger.time()
            let jobs = (0..<300).map { _ in Job(id: MeshID(at: now), service: "alpha", createdAt: now) }
            try await fixture.ledger.create(jobs.map { JobRecord(job: $0, input: Array("{}".utf8)) })
            clock.move(.seconds(1))
            try await backlog.refresh()
            #expect(backlog.isPressed == (round > 0), "more arrives than leaves, since the first look")
        }
        clock.move(.seconds(1))
        try await backlog.refresh()
        #expect(!backlog.isPressed, "nothing was created since")
        #expect(backlog.rationed.isEmpty)
    }
}
