// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Ledger
import LedgerSQLite
import MallaTestKit
import Plumbing
import ServiceLifecycle
import Synchronization
import Testing
import Workflow

@testable import Callbacks

/// A process keeps the callbacks that it has in hand, and loses them soon after it is gone.
@Suite(.timeLimit(.minutes(1))) struct CallbackHoldTests {
    /// A receiver that has the request and never answers.
    private final class SilentReceiver: StreamingReceiver {
        let asked = OneShot<Void>()

        func stream(
            _ request: TransferRequest
        ) async throws(TransferError) -> (head: TransferHead, body: AsyncThrowingStream<[UInt8], any Error>) {
            asked.finish(.success(()))
            try? await Task.sleep(for: .seconds(3600))
            throw TransferError(.cancelled, "never")
        }
    }

    private final class MovedTime: Sendable {
        private let moved = Mutex(Duration.zero)
        var duration: Duration { moved.withLock { $0 } }
        func pass(_ time: Duration) { moved.withLock { $0 += time } }
    }

    /// A ledger whose time the fixture can pass.
    private static func ledgerWithTime() async throws -> (SQLiteLedger, LedgerFixture) {
        let passed = MovedTime()
        let ledger = try SQLiteLedger.inMemory(clock: { Timestamp.now + passed.duration })
        try await ledger.migrate()
        return (ledger, try await LedgerFixture(ledger: ledger) { time in passed.pass(time) })
    }

    /// Counts what it is sent and answers 204.
    private final class CountingReceiver: StreamingReceiver {
        private let count = Mutex(0)
        var asked: Int { count.withLock { $0 } }

        func stream(
            _ request: TransferRequest
        ) async throws(TransferError) -> (head: TransferHead, body: AsyncThrowingStream<[UInt8], any Error>) {
            count.withLock { $0 += 1 }
            return (TransferHead(status: 204, headers: []), AsyncThrowingStream { $0.finish() })
        }
    }

    /// Answers for `good`; what it is sent for others fails at first, and then has no answer.
    private final class HalfDeadReceiver: StreamingReceiver {
        private let counts = Mutex((answered: 0, failed: 0))
        var answered: Int { counts.withLock { $0.answered } }

        func stream(
            _ request: TransferRequest
        ) async throws(TransferError) -> (head: TransferHead, body: AsyncThrowingStream<[UInt8], any Error>) {
            if request.url.contains("good") {
                counts.withLock { $0.answered += 1 }
                return (TransferHead(status: 204, headers: []), AsyncThrowingStream { $0.finish() })
            }
            let isFirst = counts.withLock { counts in
                counts.failed += 1
                return counts.failed == 1
            }
            if !isFirst { try? await Task.sleep(for: .seconds(3600)) }
            throw TransferError(.timeout, "never")
        }
    }

    /// As when a process is frozen between the commit that wrote callbacks and their sending: another has taken them.
    @Test func aCallbackWhoseHoldIsOverIsLeftToOthers() async throws {
        let (ledger, fixture) = try await Self.ledgerWithTime()
        let task = try await fixture.accept(fixture.fanAll)
        try await fixture.settle(task: task, .cancelled)
        let receiver = CountingReceiver()
        let app = [LedgerFixture.app]
        let clock = LedgerClock(ledger)
        let sender = CallbackSender(to: receiver, ledger: ledger, clock: clock)
        let running = Task { try await sender.run() }
        let stale = try await ledger.takeCallbacks(apps: app, limit: 9, hold: CallbackRecord.hold)
        #expect(stale.map(\.task) == [task])
        try await fixture.pass(CallbackRecord.hold + .seconds(1))
        try await clock.refresh()
        #expect(try await ledger.takeCallbacks(apps: app, limit: 9, hold: CallbackRecord.hold).count == 1, "by another")
        sender.enqueue(stale)
        // A later one of the same receiver: what went before it has been sent when it has.
        let next = try await fixture.accept(fixture.fanAll)
        try await fixture.settle(task: next, .cancelled)
        try await sender.takeDue(of: app, from: ledger)
        try await until { try await ledger.callbacks(of: next).first?.callback.state == .delivered }
        #expect(receiver.asked == 1)
        #expect(try await ledger.callbacks(of: task).first?.attempts.isEmpty == true)
        running.cancel()
        _ = try? await running.value
    }

    /// As when the commit that wrote it took seconds: what is left of its hold may end before it is renewed.
    @Test func aCallbackWhoseHoldIsNearlyOverIsLeftToOthers() async throws {
        let (ledger, fixture) = try await Self.ledgerWithTime()
        let tasks = [try await fixture.accept(fixture.fanAll), try await fixture.accept(fixture.fanAll)]
        for task in tasks { try await fixture.settle(task: task, .cancelled) }
        let receiver = CountingReceiver()
        let clock = LedgerClock(ledger)
        let sender = CallbackSender(to: receiver, ledger: ledger, clock: clock)
        let running = Task { try await sender.run() }
        let late = try await ledger.takeCallbacks(apps: [LedgerFixture.app], limit: 1, hold: CallbackRecord.hold)
        try await fixture.pass(CallbackRecord.hold * 5 / 8)
        let fresh = try await ledger.takeCallbacks(apps: [LedgerFixture.app], limit: 1, hold: CallbackRecord.hold)
        #expect(late.count == 1 && fresh.count == 1 && late[0].id != fresh[0].id)
        try await clock.refresh()
        sender.enqueue(late + fresh)
        try await until { try await ledger.callbacks(of: fresh[0].task).first?.callback.state == .delivered }
        #expect(receiver.asked == 1)
        running.cancel()
        _ = try? await running.value
    }

    /// As after a peak, when more tasks ended than could be called back.
    @Test func aBacklogIsTakenWithoutWaitingForTheNextLook() async throws {
        let (ledger, fixture) = try await Self.ledgerWithTime()
        let receiver = CountingReceiver()
        let clock = LedgerClock(ledger)
        let sender = CallbackSender(to: receiver, ledger: ledger, clock: clock)
        let running = Task { try await sender.run() }
        // The first look finds one that is answered, the second all others.
        for count in [1, 450] {
            for _ in 0..<count { try await fixture.settle(task: try await fixture.accept(fixture.fanAll), .cancelled) }
            try await fixture.pass(CallbackRecord.hold + .seconds(1))
            try await clock.refresh()
            try await sender.takeDue(of: [LedgerFixture.app], from: ledger)
            try await until { receiver.asked >= count && sender.count == 0 }
        }
        #expect(receiver.asked == 451)
        running.cancel()
        _ = try? await running.value
    }

    /// The same, with as many for a receiver that does not answer.
    @Test func aBacklogIsTakenBesideOneThatNobodyAnswers() async throws {
        let (ledger, fixture) = try await Self.ledgerWithTime()
        let receiver = HalfDeadReceiver()
        let clock = LedgerClock(ledger)
        let sender = CallbackSender(to: receiver, ledger: ledger, clock: clock)
        let running = Task { try await sender.run() }
        func store(_ url: String) async throws {
            var request = fixture.request(fixture.fanAll)
            request.callbacks = [
                CallbackRecord(
                    id: MeshID(),
                    task: request.task.id,
                    app: LedgerFixture.app,
                    url: url,
                    isTrusted: true,
                    headers: [],
                    body: [],
                    dueAt: .now,
                    createdAt: .now
                )
            ]
            #expect(try await ledger.accept([request]) == [.created])
        }
        // One fails, the other stays under way.
        for _ in 0..<2 { try await store("http://dead.example/") }
        try await sender.takeDue(of: [LedgerFixture.app], from: ledger)
        try await until { sender.count == 1 }
        for _ in 0..<300 {
            try await store("http://dead.example/")
            try await store("http://good.example/")
        }
        try await fixture.pass(.seconds(1))
        try await clock.refresh()
        try await sender.takeDue(of: [LedgerFixture.app], from: ledger)
        try await until { receiver.answered == 300 }
        // Answered, the good one's are here until that is recorded; nearly all of the dead one's are left to the outbox.
        try await until { sender.count < 30 }
        running.cancel()
        _ = try? await running.value
    }

    @Test func aCallbackUnderWayIsNobodyElses() async throws {
        let (ledger, fixture) = try await Self.ledgerWithTime()
        let task = try await fixture.accept(fixture.fanAll)
        try await fixture.settle(task: task, .cancelled)
        let receiver = SilentReceiver()
        let sender = CallbackSender(to: receiver, ledger: ledger, renewal: .milliseconds(10))
        let app = [LedgerFixture.app]
        let running = Task { try await sender.run() }
        try await sender.takeDue(of: app, from: ledger)
        try await receiver.asked.value()
        for _ in 0..<3 {
            try await fixture.pass(.seconds(6))
            // Renewed, it is due 8 s from now.
            while let due = try await ledger.callbacks(of: task).first?.callback.dueAt,
                due < (try await ledger.time()) + .seconds(7)
            {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(try await ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(8)).isEmpty)
        // The process is gone: nobody renews, and what it broke off is no attempt.
        running.cancel()
        _ = try? await running.value
        #expect(try await ledger.callbacks(of: task).first?.attempts.isEmpty == true)
        try await fixture.pass(.seconds(9))
        #expect(try await ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(8)).map(\.task) == [task])
    }
}
