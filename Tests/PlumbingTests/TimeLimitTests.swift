// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization
import Testing

@testable import Plumbing

@Suite("Time limits and the alarms behind them")
struct TimeLimitTests {
    private struct TooLate: Error {}
    private struct Failure: Error {}

    @Test("work that ends in time gives its value or its error")
    func inTime() async throws {
        #expect(try await TimeLimit.run(.seconds(60), orThrow: TooLate()) { 7 } == 7)
        await #expect(throws: Failure.self) {
            try await TimeLimit.run(.seconds(60), orThrow: TooLate()) { () -> Int in throw Failure() }
        }
    }

    @Test("work that takes too long is cancelled, and has ended when the limit's error is thrown")
    func tooLong() async throws {
        let ended = Mutex(false)
        await #expect(throws: TooLate.self) {
            try await TimeLimit.run(.milliseconds(50), orThrow: TooLate()) {
                defer { ended.withLock { $0 = true } }
                try await Task.sleep(for: .seconds(600))
            }
        }
        #expect(ended.withLock { $0 })
    }

    @Test("what comes when the time is over does not count, be it a value")
    func doneInSpiteOfIt() async throws {
        await #expect(throws: TooLate.self) {
            try await TimeLimit.run(.milliseconds(20), orThrow: TooLate()) {
                // Ends by being cancelled, and has a value all the same.
                try? await Task.sleep(for: .seconds(600))
                return 7
            }
        }
    }

    @Test("a cancelled caller cancels the work, and is not told that the time was over")
    func cancelled() async throws {
        let began = OneShot<Void>()
        let caller = Task {
            try await TimeLimit.run(.seconds(600), orThrow: TooLate()) {
                began.finish(.success(()))
                try await Task.sleep(for: .seconds(600))
            }
        }
        try await began.value()
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
    }

    @Test("alarms ring by their time, and none is left")
    func alarms() async throws {
        let alarms = Alarms()
        let rung = Mutex<[Int]>([])
        let last = OneShot<Void>()
        let now = ContinuousClock.now
        // The later ones first: an earlier one must not wait for them.
        for delay in [300, 200, 100] {
            _ = alarms.set(at: now + .milliseconds(delay)) {
                let count = rung.withLock {
                    $0.append(delay)
                    return $0.count
                }
                if count == 3 { last.finish(.success(())) }
            }
        }
        try await last.value()
        #expect(rung.withLock { $0 } == [100, 200, 300])
        #expect(ContinuousClock.now - now >= .milliseconds(300))
        #expect(alarms.count == 0)
        // With nothing left it sleeps no more, and begins again for the next one.
        let again = OneShot<Void>()
        _ = alarms.set(at: .now) { again.finish(.success(())) }
        try await again.value()
    }

    @Test("a lifted alarm does not ring, nor does one whose time has not come")
    func lifted() async throws {
        let alarms = Alarms()
        let ids = (0..<1000).map { _ in
            alarms.set(at: .now + .seconds(3600)) { Issue.record("an alarm rang that was lifted") }
        }
        let rang = OneShot<Void>()
        _ = alarms.set(at: .now + .milliseconds(5)) { rang.finish(.success(())) }
        try await rang.value()
        #expect(alarms.count == 1000)
        for id in ids { #expect(alarms.lift(id)) }
        #expect(!alarms.lift(ids[0]))
        #expect(alarms.count == 0)
    }
}
