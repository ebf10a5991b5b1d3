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

/// The connection that publishes: with confirms what somebody waits for, without them what is posted.
///
/// Callers leave their messages in an inbox and wake the loop; each turn of the loop takes all that is there, sends
/// it, and reads the confirms that arrived. Nothing is sent into a socket that has no room, so a broker that has
/// stopped reading does not hold the loop; a message larger than that room may, until the watchdog ends it.
actor RabbitPublisher: LoopSource {
    /// What somebody waits for goes out on a channel that confirms.
    private static let channel: UInt16 = 1
    /// What nobody waits for does not: the broker need not bring it to the disk before anything else can go on.
    private static let postChannel: UInt16 = 2
    /// More would only fill the broker's memory; confirms come back in thousands per second.
    private static let maxUnconfirmed = 1000
    /// How many messages are sent in one turn of the loop.
    private static let oneTurn = 1000

    private nonisolated let loop = LoopThread(name: "rabbit-publish")
    private nonisolated let inbox = Mutex(RabbitPublishInbox())
    private nonisolated let settings: RabbitSettings
    private nonisolated let numbers: RabbitNumbers
    private let topology: RabbitTopology
    private var dialler: RabbitDialler
    private var link: AMQPLink?
    private var ledger = ConfirmLedger()
    private var answers: [UInt64: OneShot<Void>] = [:]
    private var isBlocked = false
    private var closing: (deadline: ContinuousClock.Instant, done: OneShot<Void>)?
    private var isGone = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(settings: RabbitSettings, topology: RabbitTopology, logger: Logger) {
        self.settings = settings
        self.topology = topology
        dialler = RabbitDialler(settings: settings, role: "publisher", logger: logger)
        numbers = dialler.numbers
    }

    // MARK: From any thread

    nonisolated func publish(_ messages: [Message]) async throws(BrokerError) {
        let answer = OneShot<Void>()
        try submit(messages, answer)
        do {
            try await answer.value()
        } catch let error as BrokerError {
            throw error
        } catch {
            throw BrokerError(.timeout, "the publish was cancelled; the messages may or may not be there")
        }
    }

    nonisolated func post(_ messages: [Message]) -> Bool {
        let (isTaken, isFirst) = inbox.withLock { inbox -> (Bool, Bool) in
            guard !inbox.isClosed, !inbox.isAway, inbox.occupied + messages.count <= settings.maxWaiting else {
                return (false, false)
            }
            inbox.posts += messages
            inbox.occupied += messages.count
            defer { inbox.isStarted = true }
            return (true, !inbox.isStarted)
        }
        if isTaken { awaken(isFirst) } else { numbers.dropped.increment(by: messages.count) }
        return isTaken
    }

    /// Sends what waits, for at most `patience`, and ends the connection.
    nonisolated func close(patience: Duration) async {
        let isStarted = inbox.withLock { inbox in
            inbox.isClosed = true
            return inbox.isStarted
        }
        if isStarted { await shut(patience) }
    }

    private nonisolated func submit(_ messages: [Message], _ answer: OneShot<Void>) throws(BrokerError) {
        let refusal = inbox.withLock { inbox -> (error: BrokerError?, isFirst: Bool) in
            guard !inbox.isClosed else { return (BrokerError(.unavailable, "the broker connection is closed"), false) }
            guard inbox.occupied + messages.count <= settings.maxWaiting else {
                return (BrokerError(.overflow, "\(inbox.occupied) messages wait to be published already"), false)
            }
            inbox.occupied += messages.count
            inbox.lastCall += 1
            // Under the lock, so that deadlines are in the order of calls.
            inbox.calls.append((inbox.lastCall, messages, .now + settings.publishDeadline, answer))
            defer { inbox.isStarted = true }
            return (nil, !inbox.isStarted)
        }
        if let error = refusal.error { throw error }
        awaken(refusal.isFirst)
    }

    private nonisolated func awaken(_ isFirst: Bool) {
        // The first job attaches this actor to its loop; the turn after it finds what was left in the inbox.
        if isFirst { Task { await start() } } else { loop.wake() }
    }

    private func start() {
        if !isGone { loop.attach(self) }
    }

    private func shut(_ patience: Duration) async {
        guard !isGone, closing == nil else { return }
        let done = OneShot<Void>()
        closing = (.now + patience, done)
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
        if link == nil, dialler.isHopeless { ledger.failAll(dialler.awayError) }
        do throws(AMQPFailure) {
            try readEvents()
            try sendWaiting()
            // Confirms often arrive while the sending goes on.
            try readEvents()
        } catch {
            disconnect(error)
        }
        expire()
        answer()
        if finishClosing() { return LoopWait() }
        return nextWait()
    }

    private func takeInbox() {
        let (calls, posts) = inbox.withLock { inbox in
            defer {
                inbox.calls.removeAll(keepingCapacity: true)
                inbox.posts.removeAll(keepingCapacity: true)
            }
            return (inbox.calls, inbox.posts)
        }
        for entry in calls {
            if entry.messages.isEmpty {
                entry.answer.finish(.success(()))
                continue
            }
            answers[entry.call] = entry.answer
            ledger.add(call: entry.call, messages: entry.messages, deadline: entry.deadline)
        }
        ledger.post(posts)
    }

    private func connectIfDue() {
        guard link == nil, dialler.pause(at: .now) == nil else { return }
        let topology = topology
        link = dialler.dial(before: ledger.nextDeadline()) { link throws(AMQPFailure) in
            try link.openChannel(Self.channel)
            try topology.declare(on: link, channel: Self.channel)
            try link.selectConfirms(Self.channel)
            try link.openChannel(Self.postChannel)
        }
        if link != nil {
            setAway(false)
        } else {
            dropPosts()
        }
    }

    private func disconnect(_ failure: AMQPFailure) {
        link = nil
        isBlocked = false
        dialler.lost(failure)
        dropPosts()
    }

    private func dropPosts() {
        setAway(true)
        numbers.dropped.increment(by: ledger.connectionLost())
    }

    private func setAway(_ isAway: Bool) {
        inbox.withLock { $0.isAway = isAway }
    }

    private func readEvents() throws(AMQPFailure) {
        guard let link else { return }
        while let event = try link.nextEvent() {
            switch event {
            case .confirmed(let number, let multiple, let isAccepted):
                let count = ledger.confirm(number, multiple: multiple, isAccepted: isAccepted)
                if isAccepted { numbers.confirmed.increment(by: count) }
            case .returned(let number, let reason):
                numbers.returned.increment()
                ledger.markReturned(number, reason: reason)
            case .blocked(let reason):
                isBlocked = true
                setAway(true)
                dialler.logger.warning("the broker blocks publishing", metadata: [LogKey.error: "\(reason)"])
            case .unblocked:
                isBlocked = false
                setAway(false)
                dialler.logger.info("the broker takes messages again")
            case .channelClosed(_, let code, let reason):
                // The sequence of confirms ends with the channel; the plain way to start it again is a new connection.
                throw AMQPFailure(kind: .broken, reason: "the publishing channel was closed: \(code) \(reason)")
            case .delivered, .consumerCancelled:
                break
            }
        }
    }

    private func sendWaiting() throws(AMQPFailure) {
        guard let link, !isBlocked else { return }
        var count = 0
        defer { if count > 0 { numbers.published.increment(by: count) } }
        // Bounded, so that what came in meanwhile takes part in the next turn.
        while count < Self.oneTurn, ledger.unconfirmedCount < Self.maxUnconfirmed, ledger.hasWaiting, link.hasRoom {
            guard let (message, number) = ledger.takeNext() else { return }
            count += 1
            try link.publish(
                queue: message.queue,
                body: message.body,
                trace: message.trace,
                number: number,
                on: number == nil ? Self.postChannel : Self.channel
            )
            // A long run of sends must not let the confirms fill the socket's other direction.
            if count % 256 == 0 { try readEvents() }
            if isBlocked { return }
        }
    }

    private func expire() {
        let away =
            isBlocked
            ? BrokerError(.timeout, "the broker blocks publishing: it lacks memory or disk space")
            : link == nil
                ? BrokerError(dialler.awayError.code == .refused ? .refused : .timeout, dialler.awayError.reason)
                : BrokerError(.timeout, "no confirm within \(Quantity.text(settings.publishDeadline))")
        ledger.expire(at: .now, reason: away)
        ledger.dropLate()
    }

    private func answer() {
        let freed = ledger.takeFreed()
        if freed > 0 { inbox.withLock { $0.occupied -= freed } }
        for entry in ledger.takeFinished() {
            let answer = answers.removeValue(forKey: entry.call)
            answer?.finish(entry.failure.map { .failure($0) } ?? .success(()))
        }
    }

    private func finishClosing() -> Bool {
        guard let closing, ledger.isEmpty || closing.deadline <= .now else { return false }
        ledger.failAll(BrokerError(.unavailable, "the broker connection is closed"))
        answer()
        link?.close()
        link = nil
        numbers.connected.record(0)
        isGone = true
        loop.detach()
        closing.done.finish(.success(()))
        return true
    }

    private func nextWait() -> LoopWait {
        var limits: [Duration] = []
        let now = ContinuousClock.now
        if let deadline = ledger.nextDeadline() { limits.append(now.duration(to: deadline)) }
        if let closing { limits.append(now.duration(to: closing.deadline)) }
        guard let link else {
            limits.append(dialler.pause(at: now) ?? .zero)
            return LoopWait(timeoutMilliseconds: limits.min().map(RabbitDialler.milliseconds) ?? -1)
        }
        if link.heartbeat > .zero { limits.append(link.heartbeat / 3) }
        let wantsRoom = ledger.hasWaiting && !isBlocked && ledger.unconfirmedCount < Self.maxUnconfirmed
        return LoopWait(
            descriptor: link.descriptor,
            events: Int16(POLLIN) | (wantsRoom ? Int16(POLLOUT) : 0),
            timeoutMilliseconds: link.hasBufferedInput ? 0 : limits.min().map(RabbitDialler.milliseconds) ?? -1
        )
    }
}
