// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient

/// What a message is settled by: its queue and its tag there.
struct Receipt: Sendable {
    let queue: CompletionQueue
    let tag: DeliveryTag
}

extension Sequence<Receipt> {
    /// Settles these messages, each at its queue.
    func settle(_ settlement: DeliverySettlement) {
        for group in Dictionary(grouping: self, by: { ObjectIdentifier($0.queue) }).values {
            group.first?.queue.settle(group.map(\.tag), settlement)
        }
    }
}
