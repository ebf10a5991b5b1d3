// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

@testable import ServiceWorker

/// When a process is started again, without any process.
struct ProcessSupervisionTests {
    private let start = ContinuousClock.now
    private var machine = ProcessSupervision(
        startupTimeout: .seconds(10),
        grace: .milliseconds(500),
        backoff: Backoff(base: .seconds(1), cap: .seconds(60), jitter: 0)
    )

    @Test mutating func delaysDoubleUpToAMinuteAndStartAnewAfterAJob() {
        #expect(machine.start(start) == .spawn)
        var now = start
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            #expect(machine.exited(now) == .none)
            #expect(machine.wake == now + .seconds(seconds))
            #expect(machine.tick(now) == .none)
            now += .seconds(seconds)
            #expect(machine.tick(now) == .spawn)
        }
        #expect(machine.asked() && !machine.asked())
        machine.served()
        #expect(machine.exited(now) == .none)
        #expect(machine.wake == now + .seconds(1))
    }

    @Test mutating func aLateStartIsKilledAndCountsOnce() {
        _ = machine.start(start)
        #expect(machine.tick(start + .seconds(10)) == .killLate)
        #expect(machine.tick(start + .seconds(11)) == .none)
        #expect(machine.exited(start + .seconds(11)) == .none)
        #expect(machine.wake == start + .seconds(12))
    }

    @Test mutating func aRetiredProcessIsReplacedAtOnce() {
        _ = machine.start(start)
        _ = machine.asked()
        #expect(machine.retire(start) == .terminate)
        #expect(machine.tick(start + .milliseconds(500)) == .kill)
        #expect(machine.exited(start + .seconds(1)) == .spawn)
    }

    @Test mutating func theEndIsTheEnd() {
        _ = machine.start(start)
        #expect(machine.end(start) == .terminate)
        #expect(machine.end(start) == .none)
        #expect(machine.kill() == .kill)
        #expect(machine.exited(start) == .finish)
        #expect(machine.exited(start) == .none && machine.start(start) == .none && machine.wake == nil)
    }

    @Test mutating func theEndDuringABackOffIsAtOnce() {
        _ = machine.start(start)
        _ = machine.exited(start)
        #expect(machine.end(start) == .finish)
    }

    @Test mutating func aKilledProcessIsReplaced() {
        _ = machine.start(start)
        _ = machine.asked()
        machine.served()
        #expect(machine.kill() == .kill)
        #expect(machine.retire(start) == .none)
        #expect(machine.exited(start) == .spawn)
    }
}
