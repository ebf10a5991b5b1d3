// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Ledger
import LedgerSQLite
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import Callbacks

/// What there was no room for is sent as soon as there is some, not when its hold is over.
@Suite(.timeLimit(.minutes(1))) struct CallbackSurplusTests {
    /// Notes what it is sent and answers 204.
    private final class NotingReceiver: StreamingReceiver {
        private let ids = Mutex<[String]>([])
        var asked: [String] { ids.withLock { $0 } }

        func stream(
            _ request: TransferRequest
        ) async throws(TransferError) -> (head: TransferHead, body: AsyncThrowingStream<[UInt8], any Error>) {
            let id = request.headers.first { $0.name == "webhook-id" }?.value
            ids.withLock { $0.append(id ?? "none") }
            return (TransferHead(status: 204, headers: []), AsyncThrowingStream { $0.finish() })
        }
    }

    @Test func aBurstIsSentWithoutWaitingForItsHolds() async throws {
        // Its time stands still, and so far ahead that no hold is over before this test.
        let moment = Timestamp.now + .seconds(60)
        let ledger = try SQLiteLedger.inMemory(clock: { moment })
        try await ledger.migrate()
        let fixture = try await LedgerFixture(ledger: ledger) { _ in }
        for _ in 0..<300 { try await fixture.settle(task: try await fixture.accept(fixture.fanAll), .cancelled) }
        let receiver = NotingReceiver()
        let sender = CallbackSender(to: receiver, ledger: ledger, clock: LedgerClock(ledger))
        let app = [LedgerFixture.app]
        let burst = try await ledger.takeCallbacks(apps: app, limit: 300, hold: CallbackRecord.hold)
        let running = Task { try await sender.run() }
        #expect(sender.enqueue(burst) == 200, "a receiver that nobody knows yet")
        try await until { sender.count == 0 }
        try await sender.takeDue(of: app, from: ledger)
        try await until { receiver.asked.count == 300 && sender.count == 0 }
        #expect(Set(receiver.asked).count == 300, "each once")
        running.cancel()
        _ = try? await running.value
    }

    @Test func itIsGivenBackAsFarAsThereIsRoomAndItsHoldIsNotOver() {
        let now = Timestamp.now
        var queues = CallbackQueues()
        let (first, late) = (
            CallbackRecord.several(210, dueAt: now + .seconds(9)), CallbackRecord.several(3, dueAt: now + .seconds(5))
        )
        for callback in first + late { queues.take(callback, since: .now) }
        #expect(queues.count == 200 && queues.takeSurplus(at: now, atMost: 900).isEmpty, "no room yet")
        // The first four of a receiver that nobody knows start.
        #expect(queues.takeStartable(.now).count == 4)
        #expect(queues.takeSurplus(at: now, atMost: 3).map(\.id) == first[200..<203].map(\.id), "no more than asked")
        #expect(queues.takeSurplus(at: now, atMost: 1).map(\.id) == [first[203].id])
        #expect(queues.takeSurplus(at: now + .seconds(7), atMost: 900).map(\.id) == first[204..<208].map(\.id))
        #expect(queues.takeSurplus(at: now + .seconds(9), atMost: 900).isEmpty, "due by themselves")
        #expect(queues.takeSurplus(at: now, atMost: 900).isEmpty, "forgotten")
    }

    @Test func ofLargeCallbacksOnlyThoseComeBackWhoseBytesHaveRoom() {
        let now = Timestamp.now
        var queues = CallbackQueues()
        for callback in CallbackRecord.several(1, dueAt: now + .seconds(9)) { queues.take(callback, since: .now) }
        for start in queues.takeStartable(.now) {
            queues.ended(start.receiver, isAnswered: true)
            queues.recorded(start.callback.id)
        }
        let large = CallbackRecord.several(140, bytes: 1 << 20, dueAt: now + .seconds(9))
        for callback in large { queues.take(callback, since: .now) }
        #expect(queues.count == 128 && queues.takeSurplus(at: now, atMost: 900).isEmpty, "128 MiB")
        for start in queues.takeStartable(.now).prefix(2) {
            queues.ended(start.receiver, isAnswered: true)
            queues.recorded(start.callback.id)
        }
        let back = queues.takeSurplus(at: now, atMost: 900)
        #expect(back.map(\.id) == large[128..<130].map(\.id), "two have gone")
    }

    @Test func nothingComesBackWhileTheReceiversThatNobodyKnowsHaveTheirHalf() {
        let now = Timestamp.now
        var queues = CallbackQueues()
        for host in 0..<30 {
            for callback in CallbackRecord.several(300, to: "new-\(host)", dueAt: now + .seconds(9)) {
                queues.take(callback, since: .now)
            }
        }
        #expect(queues.count == 2500)
        let starts = queues.takeStartable(.now)
        #expect(queues.takeSurplus(at: now, atMost: 9000).isEmpty, "whose queues are empty all the same")
        for start in starts.prefix(7) {
            queues.ended(start.receiver, isAnswered: false)
            queues.recorded(start.callback.id)
        }
        #expect(queues.takeSurplus(at: now, atMost: 9000).count == 7, "as many as have gone, of all together")
    }

    @Test func whatASilentReceiverHasNoRoomForWaitsForItsHold() {
        let now = Timestamp.now
        var queues = CallbackQueues()
        for callback in CallbackRecord.several(1, to: "silent", dueAt: now + .seconds(9)) {
            queues.take(callback, since: .now)
        }
        for start in queues.takeStartable(.now) {
            // Another waits, or the receiver would be forgotten.
            for callback in CallbackRecord.several(9, to: "silent", dueAt: now + .seconds(9)) {
                queues.take(callback, since: .now)
            }
            queues.ended(start.receiver, isAnswered: false)
            queues.recorded(start.callback.id)
        }
        for callback in CallbackRecord.several(50, to: "silent", dueAt: now + .seconds(9)) {
            queues.take(callback, since: .now)
        }
        #expect(queues.count == 20)
        _ = queues.takeStartable(.now)
        #expect(queues.takeSurplus(at: now, atMost: 900).isEmpty)
    }
}
