// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Workflow

/// A completion, or a cancellation, as it arrived.
struct Arrival: Sendable {
    let receipt: Receipt
    let body: [UInt8]
    /// The task whose run it is about; nil when it is about none, or does not tell.
    let task: TaskID?

    /// What a message of this queue holds; a worker's offers in it are for nobody's receipt, and told at once.
    ///
    /// One that can't be taken apart is passed on whole, to be dropped and reported like any other that can't be read.
    static func all(
        of delivery: Delivery,
        in queue: CompletionQueue,
        offered: (SlotOffer) -> Void
    ) -> [Arrival] {
        let all = (try? CompletionBatch.bodies(of: delivery.body)) ?? [delivery.body]
        let bodies = all.filter { body in
            guard let offer = SlotOffer(body: body) else { return true }
            // What comes again was told once, and may be long over.
            if !delivery.isRedelivered { offered(offer) }
            return false
        }
        if bodies.isEmpty { queue.settle([delivery.tag], .acknowledged) }
        let receipts = Receipt.receipts(bodies.count, queue: queue, tag: delivery.tag)
        return zip(receipts, bodies).map { Arrival(receipt: $0, body: $1) }
    }

    private init(receipt: Receipt, body: [UInt8]) {
        (self.receipt, self.body) = (receipt, body)
        task = Completion.task(ofBody: body)
    }
}
