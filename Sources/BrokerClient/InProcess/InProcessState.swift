// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient

/// Everything the in-process broker knows; the broker guards it with a mutex and calls the handlers outside.
struct InProcessState {
    private struct Consumer {
        let queue: String
        let prefetch: Int
        let handler: @Sendable ([Delivery]) -> Void
        var isPaused = false
        /// Whether a task hands over what is in `outbox`.
        var isHandingOver = false
        var lastNumber: UInt64 = 0
        var unsettled: [UInt64: InProcessQueue.Stored] = [:]
        /// Given to this consumer and not handed over yet; part of `unsettled`.
        var outbox: [Delivery] = []
    }

    private(set) var isClosed = false
    private var queues: [String: InProcessQueue] = [:]
    private var consumers: [UInt64: Consumer] = [:]
    private var lastPlace: UInt64 = 0
    private var lastConsumer: UInt64 = 0
    /// The queues that may have something for somebody.
    private var touched: Set<String> = []

    mutating func declare(_ queue: String, isTransient: Bool) {
        if queues[queue] == nil { queues[queue] = InProcessQueue(isTransient: isTransient) }
    }

    /// Appends messages to their queues; returns the name of a queue that is missing.
    mutating func append(_ messages: [Message]) -> String? {
        var missing: String?
        for message in messages {
            guard queues[message.queue] != nil else {
                missing = missing ?? message.queue
                continue
            }
            lastPlace += 1
            queues[message.queue]?.append(InProcessQueue.Stored(message: message, place: lastPlace))
            touched.insert(message.queue)
        }
        return missing
    }

    func depth(of queue: String) -> Int? { queues[queue]?.count }

    mutating func addConsumer(
        of queue: String,
        prefetch: Int,
        handler: @escaping @Sendable ([Delivery]) -> Void
    ) throws(BrokerError) -> UInt64 {
        guard queues[queue] != nil else { throw BrokerError(.unroutable, "there is no queue '\(queue)'") }
        lastConsumer += 1
        consumers[lastConsumer] = Consumer(queue: queue, prefetch: prefetch, handler: handler)
        queues[queue]?.consumers.append(lastConsumer)
        touched.insert(queue)
        return lastConsumer
    }

    mutating func settle(_ id: UInt64, _ tags: [DeliveryTag], _ settlement: DeliverySettlement) {
        guard let queue = consumers[id]?.queue else { return }
        var returned: [InProcessQueue.Stored] = []
        for tag in tags where tag.generation == id {
            guard var stored = consumers[id]?.unsettled.removeValue(forKey: tag.number) else { continue }
            stored.isRedelivered = true
            if settlement == .requeued { returned.append(stored) }
        }
        queues[queue]?.putBack(returned)
        touched.insert(queue)
    }

    mutating func setPaused(_ id: UInt64, _ isPaused: Bool) throws(BrokerError) {
        guard let queue = consumers[id]?.queue else {
            throw BrokerError(.misuse, "the subscription has been cancelled")
        }
        consumers[id]?.isPaused = isPaused
        if isPaused { takeBackOutbox(of: id, in: queue) }
        touched.insert(queue)
    }

    mutating func cancel(_ id: UInt64) {
        guard let queue = consumers[id]?.queue else { return }
        takeBackOutbox(of: id, in: queue)
        let unsettled = consumers.removeValue(forKey: id)?.unsettled.values.map { stored in
            var stored = stored
            stored.isRedelivered = true
            return stored
        }
        queues[queue]?.consumers.removeAll { $0 == id }
        if let left = queues[queue], left.isTransient, left.consumers.isEmpty {
            queues[queue] = nil
            return
        }
        queues[queue]?.putBack(unsettled ?? [])
        touched.insert(queue)
    }

    mutating func close() {
        isClosed = true
        for id in consumers.keys { cancel(id) }
    }

    /// Gives waiting messages to consumers with room, in turns; returns the consumers that need a task to hand over.
    mutating func dispatch() -> [UInt64] {
        var started: [UInt64] = []
        for name in touched {
            // Out of the dictionary while it changes: no copy of its messages.
            guard var queue = queues.removeValue(forKey: name) else { continue }
            var refusals = 0
            while queue.count > 0, refusals < queue.consumers.count {
                let id = queue.consumers.removeFirst()
                queue.consumers.append(id)
                guard hasRoom(id), let stored = queue.takeFirst() else {
                    refusals += 1
                    continue
                }
                refusals = 0
                if give(stored, to: id) { started.append(id) }
            }
            queues[name] = queue
        }
        touched.removeAll(keepingCapacity: true)
        return started
    }

    /// Takes what a consumer is to be handed; nil ends its task.
    mutating func takeBatch(of id: UInt64) -> (handler: @Sendable ([Delivery]) -> Void, deliveries: [Delivery])? {
        guard let batch = consumers[id]?.outbox, let handler = consumers[id]?.handler, !batch.isEmpty else {
            consumers[id]?.isHandingOver = false
            return nil
        }
        consumers[id]?.outbox = []
        return (handler, batch)
    }

    private func hasRoom(_ id: UInt64) -> Bool {
        guard let consumer = consumers[id] else { return false }
        return !consumer.isPaused && consumer.unsettled.count < consumer.prefetch
    }

    /// Puts a message into a consumer's outbox; tells whether a task must be started for it.
    private mutating func give(_ stored: InProcessQueue.Stored, to id: UInt64) -> Bool {
        guard let number = consumers[id].map({ $0.lastNumber + 1 }) else { return false }
        consumers[id]?.lastNumber = number
        consumers[id]?.unsettled[number] = stored
        consumers[id]?.outbox.append(
            Delivery(
                tag: DeliveryTag(generation: id, number: number),
                body: stored.message.body,
                trace: stored.message.trace,
                isRedelivered: stored.isRedelivered
            )
        )
        let mustStart = consumers[id]?.isHandingOver == false
        consumers[id]?.isHandingOver = true
        return mustStart
    }

    /// Takes back what a consumer was given and has not seen.
    private mutating func takeBackOutbox(of id: UInt64, in queue: String) {
        let unseen = consumers[id]?.outbox ?? []
        consumers[id]?.outbox = []
        let stored = unseen.compactMap { consumers[id]?.unsettled.removeValue(forKey: $0.tag.number) }
        queues[queue]?.putBack(stored)
    }
}
