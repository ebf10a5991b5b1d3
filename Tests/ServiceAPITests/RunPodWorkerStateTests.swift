// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// When a worker's own process counts as gone, and which leases its signs of life renew.
@Suite struct RunPodWorkerStateTests {
    private final class Thing: Sendable {}
    private let start = ContinuousClock.now

    @Test func onlyACloseInTheMiddleSpeaksOfDeath() {
        let things = (0..<2).map { _ in Thing() }
        let ids = things.map { ObjectIdentifier($0) }
        var connections = RunPodWorkerConnections()
        connections.begin(ids[0], isForStops: true, at: start)
        connections.begin(ids[1], isForStops: false, at: start)
        connections.end(ids[1], at: start)
        // A spare one goes, the other is left: nothing.
        connections.ended(ids[1], byPeer: true, at: start + .seconds(15))
        #expect(connections.goneSince == nil)
        connections.ended(ids[0], byPeer: true, at: start + .seconds(20))
        #expect(connections.goneSince == start + .seconds(20))
        // A fresh call is a sign of life.
        connections.begin(ids[0], isForStops: false, at: start + .seconds(21))
        #expect(connections.goneSince == nil)
        // Closed by this side: nothing.
        connections.ended(ids[0], byPeer: false, at: start + .seconds(30))
        #expect(connections.goneSince == nil && connections.isEmpty)
    }

    @Test func proxiesAndSpareConnectionsAreNoDeaths() {
        let thing = Thing()
        let id = ObjectIdentifier(thing)
        for (asksForStops, idle, isGone) in [
            (true, Duration.milliseconds(100), false), (true, .seconds(5), true), (true, .seconds(20), true),
            (false, .milliseconds(100), true), (false, .seconds(5), true), (false, .seconds(15), false),
        ] {
            var connections = RunPodWorkerConnections()
            connections.begin(id, isForStops: asksForStops, at: start)
            connections.end(id, at: start)
            connections.ended(id, byPeer: true, at: start + idle)
            #expect((connections.goneSince != nil) == isGone, "stops \(asksForStops), idle \(idle)")
        }
    }

    @Test func jobsThatPingsNoLongerNameAreNotRenewed() {
        let (named, lost) = (MeshID(), MeshID())
        var state = RunPodWorkerState(at: start)
        state.give(named, LeaseID(), at: start)
        state.give(lost, LeaseID(), at: start)
        #expect(state.renewedByCall(at: start + .seconds(60)).count == 2, "pings that name nothing prove nothing")
        state.pings([named], at: start + .seconds(10))
        #expect(state.renewedByCall(at: start + .seconds(20)).count == 2)
        state.pings([named], at: start + .seconds(40))
        #expect(state.renewedByCall(at: start + .seconds(41)).map(\.job) == [named])
        #expect(state.renewedByPing(grace: .seconds(10), at: start + .seconds(41)).map(\.job) == [named])
    }

    @Test func whatTheLedgerNoLongerShowsIsStopped() {
        let (kept, lost, fresh, elsewhere) = (MeshID(), MeshID(), MeshID(), MeshID())
        let lease = LeaseID()
        var state = RunPodWorkerState(at: start)
        state.give(kept, lease, at: start)
        state.give(lost, LeaseID(), at: start)
        state.give(fresh, LeaseID(), at: start + .seconds(2))
        state.compare([kept: lease, elsewhere: LeaseID()], asked: start + .seconds(1))
        #expect(state.takeStops() == [lost])
        #expect(Set(state.jobs.keys) == [kept, fresh, elsewhere])
        // One whose result is on its way is no business of the stop call.
        state.ending(kept)
        state.compare([:], asked: start + .seconds(3))
        #expect(state.stops == [fresh, elsewhere] && state.jobs[kept] != nil)
        // Given again, it must not be stopped for what was before.
        state.give(fresh, LeaseID(), at: start + .seconds(4))
        #expect(state.takeStops() == [elsewhere])
    }

    @Test func aJobWithoutAResultIsFailedLateAndOnce() {
        let (job, other) = (MeshID(), MeshID())
        let leases = [job: LeaseID(), other: LeaseID()]
        var state = RunPodWorkerState(at: start)
        for (id, lease) in leases { state.give(id, lease, at: start) }
        state.asks(for: 1, lastJob: job, isIdle: false, at: start)
        #expect(!state.hasUnanswered(after: .zero, at: start), "it runs something")
        state.asks(for: 1, lastJob: job, isIdle: true, at: start + .seconds(1))
        #expect(state.jobs[other]?.phase == .forsaken, "it was never run")
        #expect(state.takeUnanswered(after: .seconds(10), at: start + .seconds(10)).isEmpty)
        // That it asks again, or runs another meanwhile, changes nothing.
        state.asks(for: 1, lastJob: other, isIdle: true, at: start + .seconds(10))
        #expect(state.hasUnanswered(after: .seconds(10), at: start + .seconds(11)))
        #expect(state.takeUnanswered(after: .seconds(10), at: start + .seconds(11)) == [job])
        #expect(state.takeUnanswered(after: .zero, at: start + .seconds(11)).isEmpty)
        state.remainsUnanswered(job, at: start + .seconds(12))
        #expect(state.takeUnanswered(after: .seconds(10), at: start + .seconds(22)) == [job])
        // What another API took in has gone from the ledger's list.
        state.remainsUnanswered(job, at: start + .seconds(22))
        state.compare([:], asked: start + .seconds(30))
        #expect(state.takeUnanswered(after: .zero, at: start + .seconds(40)).isEmpty)
    }

    @Test func aReportedJobIsNotFailedUntilTheLedgerShowsOtherwise() {
        let job = MeshID()
        let lease = LeaseID()
        var state = RunPodWorkerState(at: start)
        state.give(job, lease, at: start)
        state.pings([job], at: start)
        state.ending(job)
        state.reported(job, lease, at: start + .seconds(1))
        state.pings([], at: start + .seconds(59))
        state.compare([job: lease], asked: start + .seconds(60))
        state.asks(for: 1, lastJob: job, isIdle: true, at: start + .seconds(60))
        #expect(!state.hasUnanswered(after: .zero, at: start + .seconds(90)) && state.running == 0)
        #expect(state.renewedByCall(at: start + .seconds(60)).isEmpty, "its lease is long, and would become short")
        state.compare([job: LeaseID()], asked: start + .seconds(61))
        #expect(state.jobs[job]?.phase == .running && state.stops.isEmpty)
        state.reported(job, lease, at: start + .seconds(62))
        state.compare([:], asked: start + .seconds(63))
        #expect(state.jobs.isEmpty && state.stops.isEmpty, "what was handed in is not to be stopped")
    }

    @Test func whatAnotherAPIReportedIsNotFailedHere() {
        let (given, unknown) = (MeshID(), MeshID())
        let leases = [given: LeaseID(), unknown: LeaseID()]
        var state = RunPodWorkerState(at: start)
        state.give(given, leases[given] ?? LeaseID(), at: start)
        state.asks(for: 1, lastJob: given, isIdle: true, at: start + .seconds(1))
        #expect(state.hasUnanswered(after: .zero, at: start + .seconds(1)))
        state.compare(leases, reported: [given, unknown], asked: start + .seconds(2))
        state.asks(for: 1, lastJob: unknown, isIdle: true, at: start + .seconds(3))
        #expect(!state.hasUnanswered(after: .zero, at: start + .seconds(30)))
        #expect(state.jobs.values.allSatisfy { $0.phase == .reported } && state.jobs.count == 2)
        #expect(state.renewedByCall(at: start + .seconds(4)).isEmpty)
    }

    @Test func aResultThatWasLostHereIsNoFailureOfTheHandler() {
        let (given, elsewhere) = (MeshID(), MeshID())
        let leases = [given: LeaseID(), elsewhere: LeaseID()]
        for job in [given, elsewhere] {
            var state = RunPodWorkerState(at: start)
            if job == given { state.give(job, leases[job] ?? LeaseID(), at: start) }
            state.ending(job)
            state.unrecorded(job)
            state.compare([job: leases[job] ?? LeaseID()], asked: start + .seconds(1))
            #expect(state.jobs[job]?.phase == .unrecorded)
            for second in 2...3 {
                state.asks(for: 1, lastJob: job, isIdle: true, at: start + .seconds(second))
                #expect(state.jobs[job]?.phase == .forsaken && state.renewedByCall(at: start).isEmpty)
            }
            // Given anew, it counts as any other.
            state.give(job, LeaseID(), at: start + .seconds(4))
            state.asks(for: 1, lastJob: job, isIdle: true, at: start + .seconds(5))
            #expect(state.hasUnanswered(after: .zero, at: start + .seconds(5)))
        }
        var state = RunPodWorkerState(at: start)
        for _ in 0..<10_000 { state.unrecorded(MeshID()) }
        #expect(state.jobs.isEmpty)
    }
}
