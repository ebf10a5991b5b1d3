// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Ledger
internal import Logging
internal import Plumbing
internal import ResultStore
internal import Synchronization
internal import Workflow

/// The completions that are not settled yet: published in batches, kept until a beat says that the ledger has them,
/// and sent again when that takes too long.
final class Outbox: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Letter {
        var job: JobID
        var message: Message
        let since = Instant.now
        /// How many of the message's last bytes are a result for the result store; nil for none.
        var result: Int?
        var sendings = 0
        /// Whether it was sent without a confirm, the last time.
        var isUnconfirmed = false
        var sendAgainAt: Instant
        /// How many looks between beats were about it.
        var looks = 0
    }

    private struct State {
        var letters: [LeaseID: Letter] = [:]
        var bytes = 0
        var queue: [LeaseID] = []
        /// The letters to ask about between beats, in the order of their sending: those that count for the pace.
        ///
        /// What is settled leaves it late.
        var turns: [LeaseID] = []
        var busyLanes = 0
        var whenRoom: (@Sendable () -> Void)?
        var whenNearlyFull: (@Sendable () -> Void)?
        /// How far the worker is ahead of those who settle.
        var pace = SettlingPace()

        var isFull: Bool {
            pace.ahead >= pace.limit || letters.count >= Outbox.fullCount || bytes >= Outbox.fullBytes
        }
        var isNearlyFull: Bool {
            pace.ahead >= pace.limit / 4 * 3 || bytes >= Outbox.fullBytes / 4 * 3
        }

        /// Takes what is settled out of the turns.
        mutating func forgetTurns() {
            turns.removeAll { [letters] in letters.index(forKey: $0) == nil }
        }
    }

    private static let lanes = 2
    private static let batchCount = 256
    private static let batchBytes = 4 * 1024 * 1024
    /// Above these the worker claims nothing new: whoever settles is away, and memory is not endless.
    private static let fullCount = 50_000
    /// About so many completions a beat asks for a queue that nobody settles: enough to learn that somebody does again.
    private static let sample = 4000
    private static let fullBytes = 256 * 1024 * 1024

    private let ports: WorkerPorts
    private let settings: WorkerSettings
    private let log: Logger
    private let sending: CompletionSending
    private let offers: OfferBox?
    private let state = Mutex(State())

    /// Makes one.
    ///
    /// - Parameter offers: what is told to apps along with their completions.
    init(ports: WorkerPorts, settings: WorkerSettings, offers: OfferBox? = nil, log: Logger) {
        self.ports = ports
        self.settings = settings
        self.log = log
        self.offers = offers
        sending = CompletionSending(broker: ports.broker)
    }

    /// Whether so much is unsettled that nothing new should be claimed.
    var isFull: Bool { state.withLock { $0.isFull } }

    /// Whether it has the completion of a lease.
    func holds(_ lease: LeaseID) -> Bool { state.withLock { $0.letters[lease] != nil } }

    /// Whether the completion of a lease is so young that the ledger may not know its job yet.
    func isYoung(_ lease: LeaseID, at now: Instant) -> Bool {
        state.withLock { $0.letters[lease].map { now < $0.since + LeaseWord.lead } ?? false }
    }

    /// Names what is called whenever there is room again after it was full.
    func whenRoom(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.whenRoom = body } }

    /// Whether the ledger should be asked what is settled before the next beat.
    var isNearlyFull: Bool { state.withLock { $0.isNearlyFull } }

    /// Names what is called whenever it becomes nearly full.
    func whenNearlyFull(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.whenNearlyFull = body } }

    /// How many completions are not settled.
    var count: Int { state.withLock { $0.letters.count } }

    /// The leases to ask the ledger about with a beat: all, but of a queue that nobody settles only some.
    var probes: [LeaseProbe] {
        state.withLock { state in
            var unsettled: [String: Int] = [:]
            return state.letters.compactMap { lease, letter in
                let queue = letter.message.queue
                if !state.pace.isSettled(queue) {
                    guard unsettled[queue, default: 0] < Self.sample else { return nil }
                    unsettled[queue, default: 0] += 1
                }
                return LeaseProbe(job: letter.job, lease: lease)
            }
        }
    }

    /// The leases to ask the ledger about between two beats: those that were sent first, each a few times at most.
    func nextProbes() -> [LeaseProbe] {
        state.withLock { state in
            state.forgetTurns()
            let asked = state.turns.prefix(EarlyLooks.size)
            for lease in asked { state.letters[lease]?.looks += 1 }
            let again = asked.filter { (state.letters[$0]?.looks ?? 0) < EarlyLooks.perLease }
            state.turns = again + state.turns.dropFirst(asked.count)
            return asked.compactMap { lease in state.letters[lease].map { LeaseProbe(job: $0.job, lease: lease) } }
        }
    }

    /// Sends a completion, and keeps it until ``forget(_:)``.
    func send(_ completion: Completion, of job: Job) {
        let message = Message(queue: QueueName.completions(of: job), body: completion.body, trace: job.trace)
        // What lies in the media store is not kept twice: a reader misses it and asks the ledger.
        let isShared = settings.sharesResults && completion.failure == nil && completion.storedResult == nil
        let (mustStart, notice) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
            let wasNearlyFull = state.isNearlyFull
            state.letters[completion.lease] = Letter(
                job: completion.job,
                message: message,
                result: isShared ? completion.result.count : nil,
                sendAgainAt: .now + settings.resendInterval
            )
            state.bytes += message.body.count
            state.queue.append(completion.lease)
            if state.pace.sent(to: message.queue) { state.turns.append(completion.lease) }
            let notice = !wasNearlyFull && state.isNearlyFull ? state.whenNearlyFull : nil
            return (Self.takeLane(&state), notice)
        }
        if mustStart { startLane() }
        notice?()
    }

    /// Counts bytes of a result that has no completion yet.
    func keep(_ bytes: Int) { state.withLock { $0.bytes += bytes } }

    /// Counts them no more.
    func release(_ bytes: Int) { makeRoom { $0.bytes -= bytes } }

    /// Lets go of completions that the ledger has, or no longer wants, as a beat told; none is told of as well.
    ///
    /// - Parameter isBetweenBeats: whether it was a look between the beats that told.
    func forget(_ leases: [LeaseID], isBetweenBeats: Bool = false) {
        makeRoom { state in
            for lease in leases {
                guard let letter = state.letters.removeValue(forKey: lease) else { continue }
                state.bytes -= letter.message.body.count
                state.pace.settled(of: letter.message.queue)
            }
            guard !isBetweenBeats else { return }
            state.pace.beat()
            state.forgetTurns()
        }
        // It may have stayed so for the whole time, and looks between the beats end when they tell of nothing.
        if !isBetweenBeats, !leases.isEmpty { state.withLock { $0.isNearlyFull ? $0.whenNearlyFull : nil }?() }
    }

    private func makeRoom(_ body: (inout State) -> Void) {
        let whenRoom = state.withLock { state -> (@Sendable () -> Void)? in
            let wasFull = state.isFull
            body(&state)
            return wasFull && !state.isFull ? state.whenRoom : nil
        }
        whenRoom?()
    }

    /// Sends those again that have waited too long; returns how many.
    @discardableResult
    func resend(at now: Instant = .now) -> Int {
        let (count, mustStart) = state.withLock { state -> (Int, Bool) in
            var count = 0
            for (lease, letter) in state.letters where letter.sendAgainAt <= now {
                let doubled = settings.resendInterval * (1 << min(letter.sendings, 6))
                let pause = min(doubled, max(.seconds(60), settings.resendInterval))
                state.letters[lease]?.sendAgainAt = now + pause
                state.letters[lease]?.isUnconfirmed = false
                state.queue.append(lease)
                count += 1
            }
            return (count, count > 0 && Self.takeLane(&state))
        }
        if mustStart { startLane() }
        if count > 0 {
            log.info("completions are sent again, they were not settled", metadata: [LogKey.count: "\(count)"])
        }
        return count
    }

    /// Confirms everything from now on, and what was sent without: this process will not be there to send it again.
    func confirmAll() {
        sending.confirmAll()
        sendUnconfirmedAgain()
    }

    private func sendUnconfirmedAgain() {
        let mustStart = state.withLock { state in
            for (lease, letter) in state.letters where letter.isUnconfirmed {
                state.letters[lease]?.isUnconfirmed = false
                state.queue.append(lease)
            }
            return !state.queue.isEmpty && Self.takeLane(&state)
        }
        if mustStart { startLane() }
    }

    private static func takeLane(_ state: inout State) -> Bool {
        guard state.busyLanes < lanes else { return false }
        state.busyLanes += 1
        return true
    }

    private func startLane() {
        // Nobody's child: a batch holds completions of many jobs and outlives each of them.
        Task { while let batch = takeBatch() { await publish(batch) } }
    }

    private func takeBatch() -> [(lease: LeaseID, letter: Letter)]? {
        state.withLock { state in
            var batch: [(LeaseID, Letter)] = []
            var bytes = 0
            var taken = 0
            while taken < state.queue.count, batch.count < Self.batchCount, bytes < Self.batchBytes {
                let lease = state.queue[taken]
                taken += 1
                guard let letter = state.letters[lease] else { continue }
                state.letters[lease]?.sendings += 1
                bytes += letter.message.body.count
                batch.append((lease, letter))
            }
            state.queue.removeFirst(taken)
            guard !batch.isEmpty else {
                state.busyLanes -= 1
                return nil
            }
            return batch
        }
    }

    private func publish(_ batch: [(lease: LeaseID, letter: Letter)]) async {
        let results = batch.compactMap { lease, letter in
            letter.result.map { size in
                (key: ResultKey(.job, letter.job, lease: lease), value: Array(letter.message.body.suffix(size)))
            }
        }
        if !results.isEmpty { ports.results.put(results, timeToLive: settings.resultTimeToLive) }
        let messages = Self.joined(batch.map(\.letter.message)) { offers?.body(for: $0) }
        do throws(BrokerError) {
            let isFirst = batch.allSatisfy { $0.letter.sendings == 0 }
            if try await sending.send(messages, count: batch.count, isFirst: isFirst) { return }
            state.withLock { state in for (lease, _) in batch { state.letters[lease]?.isUnconfirmed = true } }
            // It may have begun to confirm everything just now, and not have seen these.
            if sending.confirmsAll { sendUnconfirmedAgain() }
        } catch {
            log.warning(
                "completions could not be published and will be sent again",
                metadata: [LogKey.count: "\(batch.count)", LogKey.error: "\(error)"]
            )
        }
    }
}
