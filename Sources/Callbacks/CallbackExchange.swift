// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Plumbing
import Synchronization

/// One request to a receiver of callbacks, of which only the head of the answer counts.
struct CallbackExchange: Sendable {
    /// How much of an answer is read so that its connection can be used again.
    private static let politeRead = 64 << 10

    let client: any HTTPTransferring
    let timeout: Duration

    /// Sends the request; ends within the time-out, however slowly the receiver drips.
    ///
    /// Once the head is there the verdict stands: a long-winded or unfinished body does not undo a delivery.
    func run(_ request: TransferRequest) async throws(TransferError) -> TransferHead {
        // A box, since the head counts even if the time is over while the body is read.
        let head = Found()
        let failure: (any Error)?
        let tooLate = TransferError(.timeout, "no answer within \(Quantity.text(timeout))")
        do {
            try await TimeLimit.run(timeout, orThrow: tooLate) { [client] in
                try await Self.exchange(request, client, head)
            }
            failure = nil
        } catch {
            failure = error
        }
        if let head = head.value.withLock({ $0 }) { return head }
        if let failure = failure as? TransferError { throw failure }
        throw TransferError(.cancelled, "the sender was stopped")
    }

    private final class Found: Sendable {
        let value = Mutex<TransferHead?>(nil)
    }

    private static func exchange(
        _ request: TransferRequest,
        _ client: any HTTPTransferring,
        _ found: Found
    ) async throws {
        let (head, body) = try await client.stream(request)
        found.value.withLock { $0 = head }
        var read = 0
        for try await chunk in body {
            read += chunk.count
            if read > politeRead { return }
        }
    }
}
