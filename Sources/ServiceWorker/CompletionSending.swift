// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Plumbing
internal import Synchronization

/// Sends completions, the first few at a time without waiting for the broker to have them on its disk.
///
/// What is lost so is sent again, since the outbox keeps every completion until it is settled; and what is sent again is
/// confirmed. So is all of it while many are sent: as long as a confirm takes, the next ones gather, and share a message;
/// and all of it once the worker is about to leave.
final class CompletionSending: Sendable {
    /// As many at once are few.
    private static let few = 2

    private struct State {
        var allowance = PostAllowance()
        /// The queues that have taken a message.
        var queues: Set<String> = []
        var confirmsAll = false
    }

    private let broker: any Broker
    private let state = Mutex(State())

    init(broker: any Broker) { self.broker = broker }

    /// Whether everything is confirmed from now on.
    var confirmsAll: Bool { state.withLock(\.confirmsAll) }

    /// Confirms everything from now on.
    func confirmAll() { state.withLock { $0.confirmsAll = true } }

    /// Sends messages.
    ///
    /// - Parameters:
    ///   - count: of how many completions.
    ///   - isFirst: whether none of them was sent before.
    /// - Returns: whether the broker has confirmed them.
    func send(_ messages: [Message], count: Int, isFirst: Bool) async throws(BrokerError) -> Bool {
        let queues = Set(messages.map(\.queue))
        let mayPost = state.withLock { state in
            isFirst && count <= Self.few && !state.confirmsAll && queues.isSubset(of: state.queues)
                && state.allowance.take(at: .now)
        }
        if mayPost, broker.post(messages) { return false }
        try await broker.publishDeclaring(messages)
        state.withLock { $0.queues.formUnion(queues) }
        return true
    }
}
