// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization

/// The queues that were declared, which every new connection declares again: a broker may have lost them.
final class RabbitTopology: Sendable {
    private struct State {
        var names: [String] = []
        var transient: Set<String> = []
    }

    private let state = Mutex(State())

    /// Every queue, in the order of declaration.
    var queues: [String] { state.withLock(\.names) }

    /// Adds a queue.
    func add(_ queue: String, isTransient: Bool) {
        state.withLock { state in
            if !state.names.contains(queue) { state.names.append(queue) }
            if isTransient { state.transient.insert(queue) }
        }
    }

    /// Declares one of them, as it was declared first.
    func declare(_ queue: String, on link: AMQPLink, channel: UInt16) throws(AMQPFailure) {
        let isTransient = state.withLock { $0.transient.contains(queue) }
        try link.declare(queue, isTransient: isTransient, on: channel)
    }

    /// Declares all of them; one that the broker refuses is passed over, for it must not stop the others.
    func declare(on link: AMQPLink, channel: UInt16) throws(AMQPFailure) {
        for queue in queues {
            do throws(AMQPFailure) {
                try declare(queue, on: link, channel: channel)
            } catch {
                if error.isFatal { throw error }
                try link.openChannel(channel)
            }
        }
    }
}
