// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient

/// What is to be published and what waits for its confirm: pure bookkeeping, without I/O or a clock of its own.
///
/// A call is a group of messages that is answered once, when all of them are settled or its deadline has passed.
/// Its messages leave ``takeNext()`` with the channel's publish sequence number, and come back through
/// ``confirm(_:multiple:isAccepted:)``, after ``markReturned(_:reason:)`` where no queue took them. Call 0 stands for
/// messages that nobody waits for: they leave without a number, and that is all.
struct ConfirmLedger {
    /// The answer to a call.
    struct Finished {
        var call: UInt64
        var failure: BrokerError?
    }

    private struct Call {
        var remaining: Int
        var deadline: ContinuousClock.Instant
        var failure: BrokerError?
    }

    private struct Sent {
        var message: Message
        var call: UInt64
        var isSettled = false
        var returnReason: String?
    }

    private var calls: [UInt64: Call] = [:]
    /// Calls in the order they came, which is that of their deadlines; ended ones are passed over.
    private var byDeadline: [(call: UInt64, deadline: ContinuousClock.Instant)] = []
    private var firstDeadline = 0
    /// What waits to be sent, the queues in turn: a fan-out's tickets must not hold up another service's.
    private var waiting = LanesInTurn<(message: Message, call: UInt64)>()
    private var sent: [Sent] = []
    private var firstSent = 0
    /// The sequence number of `sent[firstSent]`.
    private var base: UInt64 = 1
    private var finished: [Finished] = []

    /// How many messages have been settled since the last ``takeFreed()``, by whatever end.
    private var freed = 0

    /// How many messages are sent and not confirmed.
    var unconfirmedCount: Int { sent.count - firstSent }
    /// Whether a message waits to be sent.
    var hasWaiting: Bool { !waiting.isEmpty }
    /// Whether nothing is to be done.
    var isEmpty: Bool { !hasWaiting && unconfirmedCount == 0 }

    /// Adds a call; its deadline must not lie before that of an earlier call.
    mutating func add(call: UInt64, messages: [Message], deadline: ContinuousClock.Instant) {
        calls[call] = Call(remaining: messages.count, deadline: deadline)
        byDeadline.append((call, deadline))
        for message in messages { waiting.append((message, call), to: message.queue) }
    }

    /// Adds messages that nobody waits for.
    mutating func post(_ messages: [Message]) {
        for message in messages { waiting.append((message, 0), to: message.queue) }
    }

    /// Takes the next message to send, with its sequence number if it is to be confirmed; nil when none waits.
    mutating func takeNext() -> (message: Message, number: UInt64?)? {
        while let next = waiting.popFirst() {
            if next.call == 0 {
                freed += 1
                return (next.message, nil)
            }
            if calls[next.call] != nil {
                sent.append(Sent(message: next.message, call: next.call))
                return (next.message, base + UInt64(unconfirmedCount) - 1)
            }
            // Its call's deadline passed while it waited.
            freed += 1
        }
        return nil
    }

    /// Notes that no queue took a message; its confirm follows.
    mutating func markReturned(_ number: UInt64, reason: String) {
        guard let index = index(of: number) else { return }
        sent[index].returnReason = reason
    }

    /// Settles a message, or all up to it; tells how many.
    @discardableResult
    mutating func confirm(_ number: UInt64, multiple: Bool, isAccepted: Bool) -> Int {
        guard number >= base, unconfirmedCount > 0 else { return 0 }
        let last = firstSent + Int(min(number - base, UInt64(unconfirmedCount - 1)))
        let first = multiple ? firstSent : last
        guard multiple || index(of: number) != nil else { return 0 }
        var count = 0
        for index in first...last where !sent[index].isSettled {
            settle(index, isAccepted: isAccepted)
            count += 1
        }
        while firstSent < sent.count, sent[firstSent].isSettled {
            firstSent += 1
            base += 1
        }
        compactSent()
        return count
    }

    /// Ends the calls whose deadline has passed; their messages are no longer sent.
    mutating func expire(at now: ContinuousClock.Instant, reason: BrokerError) {
        while firstDeadline < byDeadline.count {
            let (call, deadline) = byDeadline[firstDeadline]
            if calls[call] != nil {
                guard deadline <= now else { return }
                calls[call] = nil
                finished.append(Finished(call: call, failure: reason))
            }
            firstDeadline += 1
        }
        byDeadline.removeAll(keepingCapacity: true)
        firstDeadline = 0
    }

    /// Forgets messages at the head that wait for nobody any more; without a connection nothing else would.
    mutating func dropLate() {
        freed += waiting.dropHeads { $0.call != 0 && calls[$0.call] == nil }
    }

    /// When the next call's deadline is.
    mutating func nextDeadline() -> ContinuousClock.Instant? {
        while firstDeadline < byDeadline.count, calls[byDeadline[firstDeadline].call] == nil { firstDeadline += 1 }
        if firstDeadline > 1024, firstDeadline * 2 > byDeadline.count {
            byDeadline.removeFirst(firstDeadline)
            firstDeadline = 0
        }
        return firstDeadline < byDeadline.count ? byDeadline[firstDeadline].deadline : nil
    }

    /// Starts again on a new connection: what is unconfirmed waits again, in its order, before the rest of its queue.
    ///
    /// Messages that nobody waits for and that were not sent yet are dropped; returns how many those were.
    mutating func connectionLost() -> Int {
        let pending = sent[firstSent...].filter { !$0.isSettled }.map { (message: $0.message, call: $0.call) }
        let all = pending + waiting.all
        waiting.removeAll()
        for entry in all where entry.call != 0 { waiting.append(entry, to: entry.message.queue) }
        sent.removeAll(keepingCapacity: true)
        firstSent = 0
        base = 1
        let dropped = all.count - waiting.count
        freed += dropped
        return dropped
    }

    /// Ends every call with a failure and forgets everything.
    mutating func failAll(_ failure: BrokerError) {
        for call in calls.keys.sorted() { finished.append(Finished(call: call, failure: failure)) }
        freed += sent[firstSent...].count { !$0.isSettled } + waiting.count
        calls.removeAll()
        byDeadline.removeAll()
        waiting.removeAll()
        firstDeadline = 0
        sent.removeAll()
        firstSent = 0
        base = 1
    }

    /// Takes the answers that are due.
    mutating func takeFinished() -> [Finished] {
        defer { finished.removeAll(keepingCapacity: true) }
        return finished
    }

    /// Takes the number of messages that no longer need room.
    mutating func takeFreed() -> Int {
        defer { freed = 0 }
        return freed
    }

    private func index(of number: UInt64) -> Int? {
        guard number >= base, number - base < UInt64(unconfirmedCount) else { return nil }
        return firstSent + Int(number - base)
    }

    private mutating func settle(_ index: Int, isAccepted: Bool) {
        sent[index].isSettled = true
        freed += 1
        let call = sent[index].call
        guard var entry = calls[call] else { return }
        entry.remaining -= 1
        if entry.failure == nil {
            if let reason = sent[index].returnReason {
                entry.failure = BrokerError(
                    .unroutable,
                    "there is no queue '\(sent[index].message.queue)' (\(reason))"
                )
            } else if !isAccepted {
                entry.failure = BrokerError(.refused, "the broker did not accept a message (basic.nack)")
            }
        }
        if entry.remaining == 0 {
            calls[call] = nil
            finished.append(Finished(call: call, failure: entry.failure))
        } else {
            calls[call] = entry
        }
        sent[index].message.body = []
    }

    private mutating func compactSent() {
        if firstSent == sent.count {
            sent.removeAll(keepingCapacity: true)
            firstSent = 0
        } else if firstSent > 1024, firstSent * 2 > sent.count {
            sent.removeFirst(firstSent)
            firstSent = 0
        }
    }
}
