// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceWorker

@Suite struct TicketDeskTests {
    private let start = ContinuousClock.now

    private func tags(_ range: Range<UInt64>) -> [DeliveryTag] { range.map { DeliveryTag(generation: 1, number: $0) } }

    private func desk(slots: Int) -> TicketDesk {
        TicketDesk(
            slots: slots,
            hold: .seconds(1),
            retry: Backoff(base: .milliseconds(100), cap: .seconds(5), jitter: 0)
        )
    }

    private func leases(_ actions: [TicketDesk.Action]) -> [LeaseID]? {
        for action in actions { if case .claim(let leases) = action { return leases } }
        return nil
    }

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

    @Test("A ticket for several jobs is claimed as far as slots are free, and acknowledged once it is used up")
    func claimsPartOfATicket() {
        var desk = desk(slots: 4)
        let tags = tags(0..<3)
        desk.received([(tags[0], 3), (tags[1], 2), (tags[2], 1)], at: start)
        #expect(desk.held == 6)
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 4)
        #expect(desk.held == 6, "what is being claimed is still held")
        #expect(desk.claimed(jobs: 4).tickets == [tags[0]])
        #expect(desk.held == 2)
        for _ in 0..<2 { desk.ended(handedBack: false, at: start) }
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 2)
        #expect(desk.claimed(jobs: 0).tickets == tags[1...].map { $0 })
        #expect(desk.held == 0)
    }

    @Test("What is left of a ticket whose other part found no job is acknowledged with it")
    func dropsASurplusTicketAtOnce() {
        var desk = desk(slots: 2)
        let tags = tags(0..<2)
        desk.received([(tags[0], 4), (tags[1], 1)], at: start)
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 2)
        let (used, surplus) = desk.claimed(jobs: 1)
        #expect(used == [tags[0]] && surplus == 1)
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 1)
        #expect(desk.claimed(jobs: 1).tickets == [tags[1]])
    }

    @Test("Of a ticket for many jobs a worker keeps what it can claim soon; the others get a new one")
    func sharesATicket() {
        var one = desk(slots: 1)
        one.received([(tags(0..<1)[0], 32)], at: start)
        let actions = one.actions(at: start, isOpen: true)
        #expect(leases(actions)?.count == 1)
        #expect(actions.dropFirst() == [.post(30)], "one is claimed, one is held")
        #expect(one.claimed(jobs: 1).tickets.isEmpty)
        #expect(one.actions(at: start, isOpen: true).isEmpty)
        one.ended(handedBack: false, at: start)
        #expect(leases(one.actions(at: start, isOpen: true))?.count == 1)
        #expect(one.claimed(jobs: 1).tickets == tags(0..<1))

        var four = desk(slots: 4)
        four.received(tags(0..<3).map { ($0, 5) }, at: start)
        let shared = four.actions(at: start, isOpen: true)
        #expect(leases(shared)?.count == 4)
        #expect(shared.dropFirst() == [.post(15 - 4 - four.most)])
        #expect(four.held == 4 + four.most)
        #expect(four.actions(at: start, isOpen: true).isEmpty, "no ticket is shared twice")

        #expect(one.prefetch(ticketSize: 1) == 1 && four.prefetch(ticketSize: 1) == four.most)
        for slots in [2, 4, 64, 256] {
            var full = desk(slots: slots)
            let size = min(slots, Ticket.maxCount)
            full.received(tags(0..<UInt64(full.prefetch(ticketSize: size))).map { ($0, size) }, at: start)
            #expect(full.held >= full.most, "full tickets are enough for all slots and the next claim")
            let back = full.actions(at: start, isOpen: true).map { if case .post(let count) = $0 { count } else { 0 } }
            #expect(slots < 256 || back.reduce(0, +) <= 2 * size, "and hardly any of them is given away")
        }
    }

    @Test("What is left of a ticket goes back as a smaller one")
    func givesPartOfATicketBack() {
        var desk = desk(slots: 2)
        let tags = tags(0..<2)
        desk.received([(tags[0], 3), (tags[1], 2)], at: start)
        #expect(leases(desk.actions(at: start, isOpen: true))?.count == 2)
        _ = desk.claimed(jobs: 2)
        let late = start + .seconds(1)
        let back: [TicketDesk.Action] = [
            .settle([tags[1]], .requeued), .post(1), .settle([tags[0]], .acknowledged),
        ]
        #expect(desk.actions(at: late, isOpen: true) == [.pause] + back)
        #expect(desk.held == 0)

        var draining = self.desk(slots: 2)
        draining.received([(tags[0], 3), (tags[1], 2)], at: start)
        _ = draining.actions(at: start, isOpen: true)
        draining.drain()
        #expect(draining.actions(at: start, isOpen: true) == [.pause] + back)

        // A claim that failed is dropped with what it took of a ticket: others are told of that, too.
        var failing = self.desk(slots: 2)
        failing.received([(tags[0], 3)], at: start)
        _ = failing.actions(at: start, isOpen: true)
        failing.claimFailed(at: start)
        failing.drain()
        #expect(
            failing.actions(at: start, isOpen: true)
                == [.pause, .post(1), .settle([tags[0]], .acknowledged), .post(2)]
        )
    }

    /// However tickets come and jobs end, what was promised is claimed or given away, and nobody is promised twice.
    @Test func noTicketIsLostOrDoubled() {
        for seed in 0..<200 {
            var random = SeededGenerator(seed: UInt64(seed))
            var desk = desk(slots: Int.random(in: 1...8, using: &random))
            var (promised, claimed, posted, acknowledged, number) = (0, 0, 0, 0, UInt64(0))
            var underWay = 0
            var sizes: [DeliveryTag: Int] = [:]
            func step(isOpen: Bool) {
                for action in desk.actions(at: start, isOpen: isOpen) {
                    switch action {
                    case .claim(let leases): underWay = leases.count
                    case .post(let count): posted += count
                    default: break
                    }
                }
            }
            for _ in 0..<200 {
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    let tag = DeliveryTag(generation: 1, number: number)
                    (number, sizes[tag]) = (number + 1, Int.random(in: 1...32, using: &random))
                    promised += sizes[tag] ?? 0
                    desk.received([(tag, sizes[tag] ?? 0)], at: start)
                case 1 where underWay > 0:
                    acknowledged += desk.claimed(jobs: underWay).tickets.count
                    (claimed, underWay) = (claimed + underWay, 0)
                case 2 where desk.running > 0: desk.ended(handedBack: false, at: start)
                default: break
                }
                step(isOpen: true)
                #expect(claimed + desk.held + posted == promised, "seed \(seed)")
            }
            #expect(acknowledged <= Int(number))
        }
    }
}

extension TicketDesk {
    /// Tickets for one job each came.
    fileprivate mutating func received(_ tags: [DeliveryTag], at now: Instant) {
        received(tags.map { ($0, 1) }, at: now)
    }
}
