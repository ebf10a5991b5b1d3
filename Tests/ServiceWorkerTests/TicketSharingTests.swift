// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import MallaTestKit
import Testing
import Workflow

@testable import ServiceWorker

/// Tickets for several jobs: what becomes of the parts of one.
@Suite struct TicketSharingTests: TicketDeskSuite {
    private let start = ContinuousClock.now

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
