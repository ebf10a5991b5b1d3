// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@testable import MallaChaos

@Suite struct CheckerMeasurementTests {
    @Test func percentilesAreNearestRank() {
        let values = Percentiles((1...100).map(Double.init).shuffled())
        #expect(values.at(0.5) == 50)
        #expect(values.at(0.99) == 99)
        #expect(values.at(1) == 100)
        #expect(values.at(0) == 1)
        #expect(values.max == 100)
        #expect(Percentiles([]).at(0.5) == nil)
        #expect(Percentiles([7]).at(0.99) == 7)
        #expect((Percentiles([3]) + Percentiles([1, 2])).values == [1, 2, 3])
    }

    @Test func countsAndLatencies() throws {
        let measured = Measurements(CheckerRightHistory.make(9))
        #expect(measured.counts.tasks == 9)
        #expect(measured.counts.ends == [.succeeded: 4, .failed: 3, .cancelled: 1, .timedOut: 1])
        #expect(measured.counts.jobs == 14)
        #expect(measured.counts.attempts == 18)
        #expect(measured.counts.failures == 5)
        #expect(measured.counts.deaths == 2)
        #expect(measured.counts.callsAgain == 4)
        #expect(measured.counts.staleAnswers == 0)
        #expect(measured.counts.submitsAgain == 0)
        #expect(measured.counts.callbacksAgain == 0)
        let stopped = try #require(measured.cancelToStopped.max)
        #expect(abs(stopped - 0.195) < 0.001)
        let latency = try #require(measured.submitToEnd.at(0.5))
        #expect(abs(latency - 1.51) < 0.001)
        #expect(measured.submitToEnd.count == 9)
        #expect(measured.endToCallback.count == 9)
        #expect(measured.workerKill.count == 0)
        #expect(measured.byName["submit to end"]?.count == 9)
    }

    @Test(arguments: [Fault.Kind.kill, .freeze]) func recoveryOfAWorker(kind: Fault.Kind) {
        var history = CheckerRightHistory.make(9)
        // k3's first call is cut off at +0.2; its second begins at +0.33.
        history.mapMarks("k3-first-1") { $0.kind == .failed ? nil : $0.with(process: 7) }
        // k4's first call fails by itself, so its second is no recovery.
        history.fault(kind, .role(.worker1), from: 0.2, to: 8)
        let measured = Measurements(history)
        let (found, other) =
            kind == .kill
            ? (measured.workerKill, measured.workerFreeze) : (measured.workerFreeze, measured.workerKill)
        // k8's call has no end either; its process went on writing, so it may have been frozen, but was not killed.
        #expect(found.values.map { ($0 * 1000).rounded() } == (kind == .kill ? [130] : [130, 180]))
        #expect(other.values == [])
    }

    @Test func aProcessThatWroteLaterWasNotKilled() {
        var history = CheckerRightHistory.make(9)
        history.mapMarks("k3-first-1") { $0.kind == .failed ? nil : $0 }
        // Its process, number 100, goes on writing.
        history.fault(.kill, .role(.worker1), from: 0.2, to: 8)
        #expect(Measurements(history).workerKill.values == [])
    }

    @Test func recoveryOfAppAPIAndRabbit() throws {
        var history = CheckerRightHistory.make(9)
        history.fault(.kill, .role(.appAPI1), from: 0.5, to: 3)
        history.fault(.wipe, .server(.rabbit), from: 0.3, to: 0.5)
        history.fault(.kill, .server(.rabbit), from: 50, to: 60)
        let measured = Measurements(history)
        let step = try #require(measured.appAPIKill.max)
        // The settlements of k2's refusal at +1.52 and of k3's answer at +0.53; other jobs had not answered yet.
        #expect(abs(step - 1.02) < 0.001)
        #expect(measured.appAPIKill.count == 2)
        let call = try #require(measured.rabbit.max)
        #expect(abs(call - 0.04) < 0.001)
        #expect(measured.rabbit.count == 1)
    }
}
