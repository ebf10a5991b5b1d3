// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension Broker {
    /// Publishes messages, and makes the queues that are missing first: whoever reads them was never here, or the broker
    /// lost its data.
    ///
    /// Messages whose queues were there may be published twice then.
    ///
    /// - Throws: what ``publish(_:)`` and ``declare(_:)`` throw.
    public func publishDeclaring(_ messages: [Message]) async throws(BrokerError) {
        do throws(BrokerError) {
            try await publish(messages)
        } catch  where error.code == .unroutable {
            for queue in Set(messages.map(\.queue)) { try await declare(queue) }
            try await publish(messages)
        }
    }
}
