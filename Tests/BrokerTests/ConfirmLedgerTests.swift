// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import MallaTestKit
import Testing

@testable import BrokerRabbitMQ

struct ConfirmLedgerTests {
    private let soon = ContinuousClock.now + .seconds(10)

    private func messages(_ count: Int) -> [Message] { (0..<count).map { Message(queue: "q\($0)", body: [1]) } }

    private func sendAll(_ ledger: inout ConfirmLedger) -> [UInt64] {
        var numbers: [UInt64] = []
        while let (_, number) = ledger.takeNext() { if let number { numbers.append(number) } }
        return numbers
    }

    @Test func answersACallOnceAllIsConfirmed() {
        var ledger = ConfirmLedger()
        ledger.add(call: 1, messages: messages(3), deadline: soon)
        ledger.add(call: 2, messages: messages(1), deadline: soon)
        #expect(sendAll(&ledger) == [1, 2, 3, 4])
        ledger.confirm(2, multiple: false, isAccepted: true)
        ledger.confirm(4, multiple: false, isAccepted: true)
        #expect(ledger.takeFinished().map(\.call) == [2])
        #expect(ledger.confirm(3, multiple: true, isAccepted: true) == 2)
        #expect(ledger.takeFinished().map(\.call) == [1])
        #expect(ledger.isEmpty)
        #expect(ledger.takeFreed() == 4)
        // Repeated or unknown confirms change nothing.
        ledger.confirm(4, multiple: true, isAccepted: true)
        ledger.confirm(99, multiple: false, isAccepted: false)
        #expect(ledger.takeFinished().isEmpty)
        ledger.add(call: 3, messages: messages(1), deadline: soon)
        #expect(sendAll(&ledger) == [5])
    }

    @Test func aReturnedMessageFailsItsCallOnly() {
        var ledger = ConfirmLedger()
        ledger.add(call: 1, messages: messages(2), deadline: soon)
        ledger.add(call: 2, messages: messages(1), deadline: soon)
        _ = sendAll(&ledger)
        ledger.markReturned(2, reason: "NO_ROUTE")
        ledger.confirm(3, multiple: true, isAccepted: true)
        let finished = ledger.takeFinished()
        #expect(finished.map(\.call) == [1, 2])
        #expect(finished[0].failure?.code == .unroutable)
        #expect(finished[0].failure?.reason.contains("q1") == true)
        #expect(finished[1].failure == nil)
    }

    @Test func aNackIsARefusal() {
        var ledger = ConfirmLedger()
        ledger.add(call: 1, messages: messages(1), deadline: soon)
        _ = sendAll(&ledger)
        ledger.confirm(1, multiple: false, isAccepted: false)
        #expect(ledger.takeFinished().first?.failure?.code == .refused)
    }

    @Test func unconfirmedMessagesAreSentAgainInOrder() {
        var ledger = ConfirmLedger()
        ledger.add(call: 1, messages: messages(4), deadline: soon)
        for _ in 0..<3 { _ = ledger.takeNext() }
        ledger.post(messages(2))
        ledger.confirm(2, multiple: false, isAccepted: true)
        #expect(ledger.connectionLost() == 2)
        var again: [String] = []
        var numbers: [UInt64?] = []
        while let (message, number) = ledger.takeNext() {
            again.append(message.queue)
            numbers.append(number)
        }
        #expect(again == ["q0", "q2", "q3"])
        #expect(numbers == [1, 2, 3])
        ledger.confirm(3, multiple: true, isAccepted: true)
        #expect(ledger.takeFinished().map(\.call) == [1])
        #expect(ledger.takeFreed() == 6)
    }

    @Test func aPostIsDoneWithOnceItIsSent() {
        var ledger = ConfirmLedger()
        ledger.post(messages(1))
        ledger.add(call: 1, messages: messages(1), deadline: soon)
        ledger.post(messages(1))
        var numbers: [UInt64?] = []
        while let (_, number) = ledger.takeNext() { numbers.append(number) }
        #expect(numbers.compactMap(\.self) == [1] && numbers.count == 3)
        #expect(ledger.unconfirmedCount == 1 && ledger.takeFreed() == 2)
        #expect(ledger.connectionLost() == 0)
    }

    @Test func aCallEndsAtItsDeadlineAndIsNotSentAfterwards() {
        var ledger = ConfirmLedger()
        let now = ContinuousClock.now
        ledger.add(call: 1, messages: messages(2), deadline: now)
        ledger.add(call: 2, messages: messages(1), deadline: now + .seconds(1))
        #expect(ledger.nextDeadline() == now)
        ledger.expire(at: now, reason: BrokerError(.timeout, "late"))
        #expect(ledger.takeFinished().map(\.call) == [1])
        #expect(ledger.nextDeadline() == now + .seconds(1))
        ledger.dropLate()
        #expect(ledger.takeFreed() == 2)
        #expect(sendAll(&ledger) == [1])
        ledger.expire(at: now + .seconds(2), reason: BrokerError(.timeout, "late"))
        #expect(ledger.takeFinished().map(\.call) == [2])
        // Its confirm comes late, and is harmless.
        ledger.confirm(1, multiple: false, isAccepted: true)
        #expect(ledger.takeFinished().isEmpty)
        #expect(ledger.isEmpty)
    }

    @Test func everyCallIsAnsweredOnceWhateverHappens() {
        for seed in 0..<200 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var ledger = ConfirmLedger()
            var answered: [UInt64: Int] = [:]
            var (added, freed, total) = (UInt64(0), 0, 0)
            var clock = ContinuousClock.now
            var unconfirmed: [UInt64] = []
            for _ in 0..<300 {
                switch UInt64.random(in: 0..<9, using: &generator) {
                case 0, 1:
                    added += 1
                    let count = Int.random(in: 1...4, using: &generator)
                    total += count
                    ledger.add(call: added, messages: messages(count), deadline: clock + .seconds(20))
                case 2, 3, 4:
                    if let (_, number) = ledger.takeNext(), let number { unconfirmed.append(number) }
                case 5:
                    if let number = unconfirmed.randomElement(using: &generator) {
                        let multiple = Bool.random(using: &generator)
                        ledger.confirm(number, multiple: multiple, isAccepted: true)
                        unconfirmed.removeAll { multiple ? $0 <= number : $0 == number }
                    }
                case 6:
                    let count = Int.random(in: 1...4, using: &generator)
                    total += count
                    ledger.post(messages(count))
                case 7:
                    clock += .seconds(1)
                    ledger.expire(at: clock, reason: BrokerError(.timeout, "late"))
                    ledger.dropLate()
                default:
                    if Int.random(in: 0..<5, using: &generator) == 0 {
                        _ = ledger.connectionLost()
                        unconfirmed = []
                    }
                }
                for finished in ledger.takeFinished() { answered[finished.call, default: 0] += 1 }
                freed += ledger.takeFreed()
            }
            ledger.failAll(BrokerError(.unavailable, "closed"))
            for finished in ledger.takeFinished() { answered[finished.call, default: 0] += 1 }
            freed += ledger.takeFreed()
            #expect(answered.count == Int(added) && answered.values.allSatisfy { $0 == 1 }, "seed \(seed)")
            #expect(freed == total, "seed \(seed)")
        }
    }
}
