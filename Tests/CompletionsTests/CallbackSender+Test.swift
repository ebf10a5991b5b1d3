// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import HTTPTransfer
import Ledger
import Logging

/// A test's receiver, which says what it answers as a stream.
protocol StreamingReceiver: HTTPTransferring {}

extension StreamingReceiver {
    func send(_ request: TransferRequest) async throws(TransferError) -> TransferResponse {
        let (head, _) = try await stream(request)
        return TransferResponse(head: head, body: [])
    }
}

extension CallbackSender {
    /// A sender to this receiver, with the usual settings.
    convenience init(
        to receiver: any HTTPTransferring,
        ledger: any Ledger,
        clock: LedgerClock? = nil,
        renewal: Duration = .seconds(2)
    ) {
        self.init(
            delivery: CallbackDelivery(
                settings: CallbackSettings(),
                trusted: receiver,
                guarded: receiver,
                ledger: ledger,
                clock: clock,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            ),
            renewal: renewal
        )
    }
}
