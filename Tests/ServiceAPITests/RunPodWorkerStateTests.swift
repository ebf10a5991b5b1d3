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
        state.ending(kept, true)
        state.compare([:], asked: start + .seconds(3))
        #expect(state.stops == [fresh, elsewhere] && state.jobs[kept] != nil)
        // Given again, it must not be stopped for what was before.
        state.give(fresh, LeaseID(), at: start + .seconds(4))
        #expect(state.takeStops() == [elsewhere])
    }
}
