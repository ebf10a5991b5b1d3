// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// Decides which new tasks are refused while more waits than the mesh can do in a reasonable time.
///
/// Pure. A queue is too long once its jobs, at the rate at which jobs left it lately, need more than ``patience``. Then new
/// tasks are taken at half that rate, shared out equally among the users who ask, until half of it is done. Queues that
/// are short or slow are not judged: a model that takes a minute for a job has a long queue by nature, and its
/// `backlog` says how long.
struct QueuePace: Sendable {
    /// What becomes of a new task.
    enum Decision: Sendable, Hashable {
        case taken
        case refused(Refusal)
    }

    struct Refusal: Sendable, Hashable {
        /// How long what is queued will take.
        var wait: Duration
        /// When new tasks are likely to be taken at any rate again.
        var retryAfter: Duration
        /// Whether it is worth a query whether the task is a repeat of one that was taken: a flood gets few.
        var mayLookUp: Bool
    }

    private struct Queue {
        /// The jobs that waited or ran when the ledger was read.
        var open = 0
        /// The jobs created here since.
        var created = 0
        var readAt: ContinuousClock.Instant?
        /// The last reads: seconds between them, and jobs that left meanwhile.
        var reads: [(seconds: Double, left: Double)] = []
        /// Jobs a second, as fast as it went lately; forgotten within minutes, so that workers may restart.
        var rate = 0.0
    }

    /// One second of a workflow whose new tasks are rationed.
    private struct Ration {
        var since: ContinuousClock.Instant
        var taken = 0
        var lookUps = 0
        /// What each user got who asked.
        var byUser: [String: Int] = [:]
        var askedBefore = 0
    }

    /// Queues with fewer jobs are never too long.
    static let shortest = 1000
    /// Queues that move by fewer jobs a second are not judged.
    static let slowest = 20.0
    private static let lookUpsPerSecond = 20
    private static let usersAtMost = 10_000

    /// How long the queues of a workflow may need; zero for ever.
    let patience: Duration
    private var queues: [String: Queue] = [:]
    private var rations: [String: Ration] = [:]

    init(patience: Duration) { self.patience = patience }

    /// The workflows whose new tasks are rationed, by their keys.
    var rationed: [String] { rations.keys.sorted() }

    /// Counts jobs that were created here.
    mutating func add(_ count: Int, to service: String) { queues[service, default: Queue()].created += count }

    /// What was created up to now is counted by the answer to the question that is asked now.
    func marks() -> [String: Int] { queues.mapValues(\.created) }

    /// Takes what the ledger says of a service's jobs, those that wait and those that run.
    mutating func learn(_ service: String, open: Int, marks: [String: Int], at now: ContinuousClock.Instant) {
        var queue = queues[service, default: Queue()]
        let created = marks[service, default: 0]
        if let readAt = queue.readAt {
            let seconds = max(0.001, (now - readAt).inSeconds)
            queue.reads.append((seconds, Double(max(0, queue.open + created - open))))
            queue.reads = queue.reads.suffix(3)
            let mean = queue.reads.reduce(0) { $0 + $1.left } / queue.reads.reduce(0) { $0 + $1.seconds }
            queue.rate = max(mean, queue.rate * (1 - min(1, seconds / 60)))
        }
        (queue.open, queue.readAt) = (open, now)
        queue.created -= created
        queues[service] = queue
    }

    /// How long what these services have queued will take; nil when that is not to be judged.
    func wait(of services: some Sequence<String>) -> (wait: Duration, rate: Double)? {
        var (seconds, jobs, rate) = (0.0, 0, Double.infinity)
        for service in services {
            guard let queue = queues[service], queue.rate >= Self.slowest else { continue }
            seconds += Double(queue.open + queue.created) / queue.rate
            jobs += queue.open + queue.created
            rate = min(rate, queue.rate)
        }
        return jobs < Self.shortest ? nil : (.seconds(seconds), rate)
    }

    /// Whether a user's new task is taken; a task that is taken is counted.
    ///
    /// - Parameter workflow: its key; `services` are always the same for the same.
    mutating func decide(
        workflow: String,
        services: some Sequence<String>,
        user: String,
        at now: ContinuousClock.Instant
    ) -> Decision {
        guard patience > .zero, let (wait, rate) = judge(workflow, services), wait > patience || isRationed(workflow)
        else { return .taken }
        var ration = rations[workflow] ?? Ration(since: now)
        if now - ration.since >= .seconds(1) {
            ration = Ration(since: now, askedBefore: ration.byUser.count)
        }
        defer { rations[workflow] = ration }
        let mine = ration.byUser[user, default: 0]
        if ration.byUser.count < Self.usersAtMost { ration.byUser[user] = mine }
        let whole = max(10, Int(rate / 2))
        let share = max(1, whole / max(ration.askedBefore, ration.byUser.count))
        if ration.taken < whole, mine < share {
            ration.taken += 1
            ration.byUser[user] = mine + 1
            return .taken
        }
        ration.lookUps += 1
        // What is taken meanwhile leaves half of the rate for what waits.
        let pause = max(.seconds(1), min(.seconds(60), (wait - patience / 2) * 2))
        let mayLookUp = ration.lookUps <= Self.lookUpsPerSecond
        return .refused(Refusal(wait: wait, retryAfter: pause, mayLookUp: mayLookUp))
    }

    /// Ends the rations of workflows whose queues are short again; returns whether it did.
    mutating func end(workflow: String, services: some Sequence<String>) -> Bool {
        let wasRationed = isRationed(workflow)
        _ = judge(workflow, services)
        return wasRationed && !isRationed(workflow)
    }

    func isRationed(_ workflow: String) -> Bool { rations[workflow] != nil }

    /// How long the queues need, after which a ration ends that is not needed any more.
    private mutating func judge(
        _ workflow: String,
        _ services: some Sequence<String>
    ) -> (wait: Duration, rate: Double)? {
        let found = wait(of: services)
        if (found?.wait ?? .zero) < patience / 2 { rations[workflow] = nil }
        return found
    }
}
