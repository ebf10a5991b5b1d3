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

/// Receivers that never answer, many or with large callbacks, and one that does.
@Suite(.timeLimit(.minutes(1))) struct CallbackRoomTests {
    /// Answers for `good`, and for nobody else.
    private final class Receivers: StreamingReceiver {
        private let counts = Mutex((answered: 0, silent: 0))
        var answered: Int { counts.withLock { $0.answered } }
        var silent: Int { counts.withLock { $0.silent } }

        func stream(
            _ request: TransferRequest
        ) async throws(TransferError) -> (head: TransferHead, body: AsyncThrowingStream<[UInt8], any Error>) {
            guard request.url.contains("good") else {
                counts.withLock { $0.silent += 1 }
                do { try await Task.sleep(for: .seconds(3600)) } catch { throw TransferError(.cancelled, "never") }
                throw TransferError(.timeout, "never")
            }
            counts.withLock { $0.answered += 1 }
            return (TransferHead(status: 204, headers: []), AsyncThrowingStream { $0.finish() })
        }
    }

    private func with(_ body: (CallbackSender, Receivers) async throws -> Void) async throws {
        let ledger = try SQLiteLedger.inMemory()
        try await ledger.migrate()
        let receivers = Receivers()
        let sender = CallbackSender(to: receivers, ledger: ledger)
        let running = Task { try await sender.run() }
        try await body(sender, receivers)
        running.cancel()
        _ = try? await running.value
    }

    @Test func manyThatNeverAnswerLeaveHalfOfAllPlacesToThoseThatDo() async throws {
        try await with { sender, receivers in
            sender.enqueue(CallbackRecord.several(1, to: "good"))
            try await until { receivers.answered == 1 && sender.count == 0 }
            for host in 0..<200 { sender.enqueue(CallbackRecord.several(8, to: "silent-\(host)")) }
            try await until { receivers.silent == 128 }
            sender.enqueue(CallbackRecord.several(500, to: "good"))
            try await until { receivers.answered == 501 }
            #expect(receivers.silent == 128)
        }
    }

    @Test func receiversThatNeverAnswerHoldHalfOfTheWaitingListAtMost() async throws {
        try await with { sender, receivers in
            for host in 0..<30 { sender.enqueue(CallbackRecord.several(300, to: "silent-\(host)")) }
            #expect(sender.count == 2500, "200 of each, until half of 5,000 are there")
            sender.enqueue(CallbackRecord.several(1, to: "good"))
            #expect(sender.count == 2500, "left to the outbox")
        }
    }

    @Test func largeCallbacksAreHeldUpToASize() async throws {
        try await with { sender, receivers in
            sender.enqueue(CallbackRecord.several(1, to: "good"))
            try await until { receivers.answered == 1 && sender.count == 0 }
            for host in 0..<20 { sender.enqueue(CallbackRecord.several(5, to: "silent-\(host)", bytes: 1 << 20)) }
            #expect(sender.count == 64)
            sender.enqueue(CallbackRecord.several(20, to: "good", bytes: 1 << 20))
            try await until { receivers.answered == 21 }
        }
    }
}
