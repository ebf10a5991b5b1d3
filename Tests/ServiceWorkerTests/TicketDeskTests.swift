// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Testing
import Workflow

@testable import ServiceWorker

@Suite struct TicketDeskTests: TicketDeskSuite {
    private let start = ContinuousClock.now

    @Test("All tickets that wait are claimed together, as far as slots are free")
    func claimsTogether() {
        var desk = desk(slots: 4)
        desk.received(tags(0..<6), at: start)
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 4)
        #expect(desk.actions(at: start, isOpen: true).isEmpty)
        let (acknowledged, surplus) = desk.claimed(jobs: 4)
        #expect(acknowledged == tags(0..<4))
        #expect(surplus == 0)
        #expect(desk.actions(at: start, isOpen: true).isEmpty)
        desk.ended(handedBack: false, at: start)
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 1)
    }

    @Test("While a claim is under way the next gathers; surplus tickets are acknowledged too")
    func gathers() {
        var desk = desk(slots: 8)
        desk.received(tags(0..<1), at: start)
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 1)
        desk.received(tags(1..<4), at: start)
        #expect(desk.actions(at: start, isOpen: true).isEmpty)
        #expect(desk.claimed(jobs: 1).tickets == tags(0..<1))
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 3)
        let (tickets, surplus) = desk.claimed(jobs: 0)
        #expect(tickets == tags(1..<4))
        #expect(surplus == 3)
        #expect(desk.free == 7)
    }

    @Test("Tickets are claimed for slots that are ready only; without any they go back until there is one")
    func waitsForReadySlots() {
        var desk = desk(slots: 4)
        desk.received(tags(0..<3), at: start)
        #expect(leases(desk.actions(at: start, isOpen: true, ready: 2))?.count == 2)
        _ = desk.claimed(jobs: 2)
        #expect(desk.actions(at: start, isOpen: true, ready: 2).isEmpty)
        // A process died with its job: the slot is neither free nor ready.
        desk.ended(handedBack: false, at: start)
        #expect(desk.actions(at: start, isOpen: true, ready: 1).isEmpty)
        let later = start + .seconds(1)
        #expect(desk.nextWake() == later)
        #expect(desk.actions(at: later, isOpen: true, ready: 0) == [.pause, .settle(tags(2..<3), .requeued)])
        #expect(desk.actions(at: later, isOpen: true, ready: 0).isEmpty)
        #expect(desk.nextWake() == nil)
        #expect(desk.actions(at: later, isOpen: true, ready: 2) == [.resume])
        desk.received(tags(3..<8), at: later)
        #expect(leases(desk.actions(at: later, isOpen: true, ready: 9))?.count == 3)
    }

    @Test("A ticket that is held too long without a free slot goes back, and consuming stops until a slot is free")
    func givesBack() {
        var desk = desk(slots: 1)
        desk.received(tags(0..<2), at: start)
        _ = desk.actions(at: start, isOpen: true)
        _ = desk.claimed(jobs: 1)
        #expect(desk.actions(at: start, isOpen: true).isEmpty)
        #expect(desk.nextWake() == start + .seconds(1))
        let late = start + .seconds(1)
        #expect(desk.actions(at: late, isOpen: true) == [.pause, .settle(tags(1..<2), .requeued)])
        // One that was on its way when the consumer paused.
        desk.received(tags(2..<3), at: late)
        #expect(desk.actions(at: late, isOpen: true) == [.settle(tags(2..<3), .requeued)])
        #expect(desk.nextWake() == nil)
        desk.ended(handedBack: false, at: late)
        #expect(desk.actions(at: late, isOpen: true) == [.resume])
    }

    @Test("A broker that did not hear of a pause is asked again, and tickets do not go round meanwhile")
    func pausesAgain() {
        var desk = desk(slots: 1)
        desk.received(tags(0..<2), at: start)
        _ = desk.actions(at: start, isOpen: true)
        _ = desk.claimed(jobs: 1)
        let paused = start + .seconds(1)
        #expect(desk.actions(at: paused, isOpen: true) == [.pause, .settle(tags(1..<2), .requeued)])
        let later = paused + .seconds(20)
        desk.received(tags(2..<3), at: later)
        #expect(desk.actions(at: later, isOpen: true).isEmpty, "held, not given back at once")
        #expect(desk.nextWake() == later + .seconds(1))
        #expect(
            desk.actions(at: later + .seconds(1), isOpen: true) == [.pause, .settle(tags(2..<3), .requeued)]
        )
        desk.ended(handedBack: false, at: later + .seconds(2))
        #expect(desk.actions(at: later + .seconds(2), isOpen: true) == [.resume])
    }

    @Test("A claim that failed is repeated with the same leases, after a pause that grows")
    func repeatsClaim() throws {
        var desk = desk(slots: 2)
        desk.received(tags(0..<2), at: start)
        let first = try #require(leases(desk.actions(at: start, isOpen: true)))
        var now = start
        for delay in [100, 200, 400, 800] {
            desk.claimFailed(at: now)
            #expect(leases(desk.actions(at: now, isOpen: true)) == nil)
            now = now + .milliseconds(delay)
            #expect(leases(desk.actions(at: now, isOpen: true)) == first)
        }
        desk.claimFailed(at: now)
        #expect(desk.actions(at: now, isOpen: true) == [.pause, .settle(tags(0..<2), .requeued)])
        #expect(desk.nextWake() == now + .milliseconds(1600))
        now = now + .milliseconds(1600)
        #expect(leases(desk.actions(at: now, isOpen: true)) == first)
        #expect(desk.claimed(jobs: 2).tickets.isEmpty)
        #expect(desk.running == 2)
    }

    @Test("A job that its engine hands back makes the desk pause")
    func pausesAfterHandBack() {
        var desk = desk(slots: 1)
        desk.received(tags(0..<1), at: start)
        _ = desk.actions(at: start, isOpen: true)
        _ = desk.claimed(jobs: 1)
        desk.received(tags(1..<2), at: start)
        desk.ended(handedBack: true, at: start)
        #expect(desk.actions(at: start, isOpen: true).isEmpty)
        #expect(desk.nextWake() == start + .milliseconds(100))
        #expect(leases(desk.actions(at: start + .milliseconds(100), isOpen: true))?.count == 1)
    }

    @Test("Draining gives every ticket back and claims nothing")
    func drains() {
        var desk = desk(slots: 1)
        desk.received(tags(0..<3), at: start)
        _ = desk.actions(at: start, isOpen: true)
        desk.drain()
        #expect(desk.actions(at: start, isOpen: true) == [.pause, .settle(tags(1..<3), .requeued)])
        #expect(desk.claimed(jobs: 1).tickets == tags(0..<1))
        desk.received(tags(3..<4), at: start)
        #expect(desk.actions(at: start, isOpen: true) == [.settle(tags(3..<4), .requeued)])
    }

    @Test("While the worker is closed nothing is claimed")
    func waitsWhileClosed() {
        var desk = desk(slots: 1)
        desk.received(tags(0..<1), at: start)
        #expect(desk.actions(at: start, isOpen: false).isEmpty)
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 1)
    }
}
