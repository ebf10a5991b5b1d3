// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import CoreMetrics
internal import Logging
internal import Plumbing
internal import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The connection that consumes, and answers questions about queues on a channel of their own.
///
/// Each consumer has its own channel, so that a queue that fails takes no other with it. Settlements are left in an
/// inbox and go out together in the loop's next turn.
actor RabbitConsumer: LoopSource {
    /// A question to the broker, asked again after a broken connection until its deadline.
    struct Request: Sendable {
        let deadline: ContinuousClock.Instant
        /// Asks; throws what a broken connection or a closed channel gave.
        let perform: @Sendable (isolated RabbitConsumer, AMQPLink) throws(AMQPFailure) -> Void
        /// Answers with success, after the turn's deliveries have been handed over.
        let succeed: @Sendable () -> Void
        /// Answers with a failure.
        let fail: @Sendable (BrokerError) -> Void
    }

    private struct Inbox {
        var requests: [Request] = []
        var settlements: [(channel: UInt16, tags: [DeliveryTag], settlement: DeliverySettlement)] = []
        var isStarted = false
        var isClosed = false
    }

    static let control: UInt16 = 1
    /// RabbitMQ's default `channel_max` is 2047.
    static let maxChannels: UInt16 = 2000
    /// The library's pools and the handlers are given their turn after this many events.
    private static let maxEvents = 4096

    private nonisolated let loop = LoopThread(name: "rabbit-consume")
    private nonisolated let inbox = Mutex(Inbox())
    nonisolated let settings: RabbitSettings
    let topology: RabbitTopology
    var dialler: RabbitDialler
    var link: AMQPLink?
    var consumers: [UInt16: RabbitChannelConsumer] = [:]
    private var requests: [Request] = []
    var lastGeneration: UInt64 = 0
    var lastChannel: UInt16 = RabbitConsumer.control
    let backoff = Backoff(base: .milliseconds(100), cap: .seconds(5))
    private var closing: OneShot<Void>?
    private var isGone = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(settings: RabbitSettings, topology: RabbitTopology, logger: Logger) {
        self.settings = settings
        self.topology = topology
        dialler = RabbitDialler(settings: settings, role: "consumer", logger: logger)
    }

    // MARK: From any thread

    nonisolated func submit(_ request: Request) {
        let (isTaken, isFirst) = inbox.withLock { inbox in
            guard !inbox.isClosed else { return (false, false) }
            inbox.requests.append(request)
            defer { inbox.isStarted = true }
            return (true, !inbox.isStarted)
        }
        guard isTaken else { return request.fail(BrokerError(.unavailable, "the broker connection is closed")) }
        // The first job attaches this actor to its loop; the turn after it finds what was left in the inbox.
        if isFirst { Task { await start() } } else { loop.wake() }
    }

    nonisolated func settle(_ channel: UInt16, _ tags: [DeliveryTag], _ settlement: DeliverySettlement) {
        guard !tags.isEmpty else { return }
        inbox.withLock { $0.settlements.append((channel, tags, settlement)) }
        loop.wake()
    }

    /// Sends the settlements that wait and ends the connection; unsettled deliveries go back to their queues.
    nonisolated func close() async {
        let isStarted = inbox.withLock { inbox in
            inbox.isClosed = true
            return inbox.isStarted
        }
        if isStarted { await shut() }
    }

    private func start() {
        if !isGone { loop.attach(self) }
    }

    private func shut() async {
        guard !isGone, closing == nil else { return }
        let done = OneShot<Void>()
        closing = done
        loop.attach(self)
        // The only failure is this task's cancellation, which ends the wait as it should.
        _ = try? await done.value()
    }

    // MARK: On the loop

    nonisolated func turn() -> LoopWait {
        assumeIsolated { $0.takeTurn() }
    }

    private func takeTurn() -> LoopWait {
        guard !isGone else { return LoopWait() }
        takeInbox()
        connectIfDue()
        var answered: [Request] = []
        do throws(AMQPFailure) {
            try setUpConsumers()
            try flushSettlements()
            try performRequests(&answered)
            try readEvents()
            // A consumer that the broker has just ended begins again in this turn.
            try setUpConsumers()
        } catch {
            disconnect(error)
        }
        handOver()
        for request in answered { request.succeed() }
        expire()
        if closing != nil, finishClosing() { return LoopWait() }
        return nextWait()
    }

    private func takeInbox() {
        let (newRequests, settlements) = inbox.withLock { inbox in
            defer {
                inbox.requests.removeAll(keepingCapacity: true)
                inbox.settlements.removeAll(keepingCapacity: true)
            }
            return (inbox.requests, inbox.settlements)
        }
        requests += newRequests
        for entry in settlements {
            guard let generation = consumers[entry.channel]?.generation else { continue }
            for tag in entry.tags where tag.generation == generation {
                consumers[entry.channel]?.window.settle(tag.number, entry.settlement)
            }
        }
    }

    private func connectIfDue() {
        guard link == nil, closing == nil, dialler.pause(at: .now) == nil else { return }
        let topology = topology
        link = dialler.dial(before: requests.map(\.deadline).min()) { link throws(AMQPFailure) in
            try link.openChannel(Self.control)
            try topology.declare(on: link, channel: Self.control)
        }
    }

    func disconnect(_ failure: AMQPFailure) {
        link = nil
        dialler.lost(failure)
        for channel in consumers.keys {
            consumers[channel]?.channelGone()
            consumers[channel]?.nextTry = nil
        }
    }

    private func performRequests(_ answered: inout [Request]) throws(AMQPFailure) {
        guard let link else { return }
        while let request = requests.first {
            do throws(AMQPFailure) {
                try request.perform(self, link)
                answered.append(request)
            } catch {
                // With the connection broken, the request stays and is made again on the next one.
                if error.isFatal { throw error }
                request.fail(BrokerError(error.isMissing ? .unroutable : .refused, error.reason))
            }
            requests.removeFirst()
        }
    }

    private func flushSettlements() throws(AMQPFailure) {
        guard let link else { return }
        for channel in consumers.keys where consumers[channel]?.isOpen == true {
            for frame in consumers[channel]?.window.flush() ?? [] {
                switch frame {
                case .acknowledge(let tag, let multiple):
                    try link.acknowledge(tag, multiple: multiple, on: channel)
                case .requeue(let tag):
                    try link.requeue(tag, on: channel)
                }
            }
        }
    }

    private func readEvents() throws(AMQPFailure) {
        guard let link else { return }
        var count = 0
        while count < Self.maxEvents || link.hasBufferedInput, let event = try link.nextEvent() {
            count += 1
            switch event {
            case .delivered(let channel, let content):
                noteDelivery(channel, content)
            case .consumerCancelled(let channel):
                consumers[channel]?.isConsuming = false
                dialler.logger.warning(
                    "the broker ended a consumer, consuming again",
                    metadata: [LogKey.queue: "\(consumers[channel]?.queue ?? "")"]
                )
            case .channelClosed(let channel, let code, let reason):
                let failure = AMQPFailure(kind: .channelClosed(code: code), reason: reason)
                if channel == Self.control { try link.openChannel(channel) } else { postpone(channel, failure) }
            case .confirmed, .returned, .blocked, .unblocked:
                break
            }
        }
    }

    private func noteDelivery(_ channel: UInt16, _ content: AMQPContent) {
        guard case .delivery(let tag, let isRedelivered) = content.purpose,
            let generation = consumers[channel]?.generation
        else { return }
        consumers[channel]?.window.deliver(tag)
        consumers[channel]?.batch.append(
            Delivery(
                tag: DeliveryTag(generation: generation, number: tag),
                body: content.body,
                trace: content.trace,
                isRedelivered: isRedelivered
            )
        )
    }

    private func handOver() {
        for channel in consumers.keys {
            guard let batch = consumers[channel]?.batch, !batch.isEmpty else { continue }
            consumers[channel]?.batch = []
            consumers[channel]?.handler(batch)
        }
    }

    private func expire() {
        guard !requests.isEmpty else { return }
        let now = ContinuousClock.now
        let error = dialler.awayError
        let isHopeless = link == nil && dialler.isHopeless
        requests.removeAll { request in
            guard isHopeless || closing != nil || request.deadline <= now else { return false }
            request.fail(error)
            return true
        }
    }

    private func finishClosing() -> Bool {
        // What was settled before the call has gone out in this very turn.
        link?.close()
        link = nil
        consumers.removeAll()
        dialler.numbers.connected.record(0)
        isGone = true
        loop.detach()
        closing?.finish(.success(()))
        return true
    }

    private func nextWait() -> LoopWait {
        let now = ContinuousClock.now
        var limits = requests.map { now.duration(to: $0.deadline) }
        guard let link else {
            limits.append(dialler.pause(at: now) ?? .zero)
            return LoopWait(timeoutMilliseconds: limits.min().map(RabbitDialler.milliseconds) ?? -1)
        }
        if link.heartbeat > .zero { limits.append(link.heartbeat / 3) }
        for consumer in consumers.values {
            if let next = consumer.nextTry { limits.append(now.duration(to: next)) }
        }
        return LoopWait(
            descriptor: link.descriptor,
            events: Int16(POLLIN),
            timeoutMilliseconds: link.hasBufferedInput ? 0 : limits.min().map(RabbitDialler.milliseconds) ?? -1
        )
    }
}
