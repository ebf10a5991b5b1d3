// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Ledger
import MallaTestKit
import Plumbing
import ResultStoreInProcess
import ServiceLifecycle
import Synchronization
import Testing
import Workflow

@Suite struct LimitGateTests {
    /// A clock that a test moves on.
    private final class Clock: Sendable {
        private let moment = Mutex(Timestamp(microseconds: 1_800_000_000_000_000))
        func now() -> Timestamp { moment.withLock { $0 } }
        func advance(_ duration: Duration) { moment.withLock { $0 = $0 + duration } }
    }

    private struct Ground {
        let clock = Clock()
        let path: String
        let file: LimitsFile
        let results = InProcessResultStore()
        let ledger: any Ledger

        init(_ text: String, _ ledger: any Ledger) throws {
            path = try TestFile.write(text)
            file = try LimitsFile(path: path)
            self.ledger = ledger
        }

        func gate() -> LimitGate {
            LimitGate(file: file, results: results, ledger: ledger, clock: clock.now)
        }
    }

    private func with(_ text: String, _ body: (Ground) async throws -> Void) async throws {
        try await TestLedger.sqlite { ledger in
            let ground = try Ground(text, ledger)
            defer { TestFile.remove(ground.path) }
            try await body(ground)
        }
    }

    private func passed(_ gates: [LimitGate], _ count: Int, user: String) async -> Int {
        var passed = 0
        for number in 0..<count where await gates[number % gates.count].check(user: user) == nil { passed += 1 }
        return passed
    }

    @Test func withoutAFileAllPass() async throws {
        let gate = LimitGate()
        for _ in 0..<100 { #expect(await gate.check(token: "t", user: "u") == nil) }
        #expect(await gate.checkJobs(user: "u", count: 1_000_000) == nil)
    }

    @Test func twoProcessesShareAUsersRate() async throws {
        try await with("users:\n  acme: {requests_per_second: 10}\n") { ground in
            let gates = [ground.gate(), ground.gate()]
            #expect(await passed(gates, 50, user: "app/acme") == 10)
            #expect(await passed(gates, 50, user: "app/other") == 50, "who has no limit is not limited")
            ground.clock.advance(.seconds(1))
            #expect(await passed(gates, 50, user: "app/acme") == 10)
            let refusal = try #require(await gates[0].check(user: "app/acme"))
            #expect(refusal.limit == "requests_per_second of user 'app/acme'")
            #expect(refusal.value == "10" && refusal.retryAfter == 1)
        }
    }

    @Test func aBurstIsPaidBack() async throws {
        try await with("default: {requests_per_second: 2, burst: 20}\n") { ground in
            let gate = ground.gate()
            #expect(await passed([gate], 50, user: "u") == 20)
            let refusal = try #require(await gate.check(user: "u"))
            #expect((1...10).contains(refusal.retryAfter))
            ground.clock.advance(.seconds(refusal.retryAfter))
            #expect(await passed([gate], 50, user: "u") == 20)
        }
    }

    @Test func lessThanOneASecond() async throws {
        try await with("default: {requests_per_second: 0.1}\n") { ground in
            let gate = ground.gate()
            #expect(await passed([gate], 5, user: "u") == 1)
            ground.clock.advance(.seconds(10))
            #expect(await passed([gate], 5, user: "u") == 1)
        }
    }

    @Test func tokensAndEndpointsHaveTheirOwn() async throws {
        let text = "tokens: {partner: {requests_per_second: 3}}\nendpoints: {purge-queue: 2, run: 5}\n"
        try await with(text) { ground in
            let gate = ground.gate()
            let purge = LimitedEndpoint(service: "alpha", operation: .purgeQueue)
            for _ in 0..<2 { #expect(await gate.check(endpoint: purge) == nil) }
            let refusal = try #require(await gate.check(endpoint: purge))
            #expect(refusal.limit == "purge-queue of service 'alpha'" && refusal.value == "2 in 10 s")
            #expect((1...10).contains(refusal.retryAfter))
            #expect(await gate.check(endpoint: LimitedEndpoint(service: "beta", operation: .purgeQueue)) == nil)
            #expect(await gate.check(endpoint: LimitedEndpoint(service: "alpha", operation: .cancel)) == nil)
            for _ in 0..<3 { #expect(await gate.check(token: "partner", user: "u") == nil) }
            #expect(await gate.check(token: "partner", user: "u")?.limit == "requests_per_second of token 'partner'")
            #expect(await gate.check(token: "default", user: "u") == nil)
        }
    }

    @Test func jobsAreCountedByTheLedgerAndSince() async throws {
        try await with("default: {waiting_jobs: 10}\nusers: {run: {running_jobs: 2}}\n") { ground in
            let gate = ground.gate()
            let queue = FairQueue(ledger: ground.ledger)
            let ranking = FairRanking(ledger: ground.ledger)
            try await queue.add(6, of: "u", by: ranking)
            // Asked of the ledger at first sight: 6 wait, 4 more may.
            #expect(await gate.checkJobs(user: "u", count: 5)?.limit == "waiting_jobs of user 'u'")
            #expect(await gate.checkJobs(user: "u", count: 4) == nil)
            let refusal = try #require(await gate.checkJobs(user: "u"))
            #expect(refusal.value == "10" && refusal.retryAfter >= 1)
            // The 4 were never created: the next look at the ledger shows it.
            await gate.refresh()
            #expect(await gate.checkJobs(user: "u", count: 4) == nil)
            try await queue.add(4, of: "u", by: ranking)
            await gate.refresh()
            #expect(await gate.checkJobs(user: "u") != nil)
            _ = try await queue.claim(3)
            await gate.refresh()
            #expect(await gate.checkJobs(user: "u", count: 4) != nil)
            #expect(await gate.checkJobs(user: "u", count: 3) == nil)
        }
    }

    @Test func whoRunsEnoughMayNotAddMore() async throws {
        try await with("users: {busy: {running_jobs: 2}}\n") { ground in
            let gate = ground.gate()
            let queue = FairQueue(ledger: ground.ledger)
            try await queue.add(5, of: "busy", by: FairRanking(ledger: ground.ledger))
            #expect(await gate.checkJobs(user: "busy") == nil)
            _ = try await queue.claim(2)
            await gate.refresh()
            #expect(await gate.checkJobs(user: "busy")?.limit == "running_jobs of user 'busy'")
            #expect(await gate.checkJobs(user: "idle") == nil)
        }
    }

    @Test func aTokensJobsAreThoseOfItsUsers() async throws {
        try await with("tokens: {partner: {waiting_jobs: 5}}\n") { ground in
            let gate = ground.gate()
            #expect(await gate.checkJobs(user: "a", token: "partner", count: 3) == nil)
            #expect(await gate.checkJobs(user: "b", token: "partner", count: 2) == nil)
            #expect(await gate.checkJobs(user: "c", token: "partner")?.limit == "waiting_jobs of token 'partner'")
            #expect(await gate.checkJobs(user: "c", token: "default") == nil)
            #expect(await gate.checkJobs(user: "c") == nil)
        }
    }

    @Test func manyAtOnceDoNotSlipThrough() async throws {
        try await with("default: {waiting_jobs: 100, requests_per_second: 100}\n") { ground in
            let gate = ground.gate()
            let (requests, jobs) = await withTaskGroup(of: (Bool, Bool).self) { group in
                for _ in 0..<1000 {
                    group.addTask {
                        (await gate.check(user: "u") == nil, await gate.checkJobs(user: "u") == nil)
                    }
                }
                return await group.reduce(into: (0, 0)) { sums, passed in
                    sums.0 += passed.0 ? 1 : 0
                    sums.1 += passed.1 ? 1 : 0
                }
            }
            #expect(requests == 100 && jobs == 100)
        }
    }

    @Test func aLedgerThatIsAwayLimitsByWhatIsKnown() async throws {
        try await with("default: {waiting_jobs: 3}\n") { ground in
            let gate = ground.gate()
            await ground.ledger.close()
            #expect(await gate.checkJobs(user: "u", count: 3) == nil)
            #expect(await gate.checkJobs(user: "u", count: 1) != nil)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aRunningGateReadsTheFileAgain() async throws {
        try await with("default: {requests_per_second: 1}\n") { ground in
            let gate = LimitGate(
                file: ground.file,
                results: ground.results,
                ledger: ground.ledger,
                interval: .milliseconds(10),
                clock: ground.clock.now
            )
            let running = Task { try await gate.run() }
            #expect(await passed([gate], 5, user: "u") == 1)
            try TestFile.write("default: {requests_per_second: 1000}\n", to: ground.path)
            while await gate.check(user: "u") != nil { try await Task.sleep(for: .milliseconds(10)) }
            running.cancel()
            try await running.value
        }
    }
}
