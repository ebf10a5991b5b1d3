// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization

/// The queues that were declared, which every new connection declares again: a broker may have lost them.
final class RabbitTopology: Sendable {
    private let names = Mutex<[String]>([])

    /// Every queue, in the order of declaration.
    var queues: [String] { names.withLock { $0 } }

    /// Adds a queue.
    func add(_ queue: String) {
        names.withLock { names in
            if !names.contains(queue) { names.append(queue) }
        }
    }

    /// Declares all of them; one that the broker refuses is passed over, for it must not stop the others.
    func declare(on link: AMQPLink, channel: UInt16) throws(AMQPFailure) {
        for queue in queues {
            do throws(AMQPFailure) {
                try link.declare(queue, on: channel)
            } catch {
                if error.isFatal { throw error }
                try link.openChannel(channel)
            }
        }
    }
}
