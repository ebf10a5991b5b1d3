// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// Decides which new tasks are refused while more waits than the mesh can do in a reasonable time.
///
/// Pure. What a service can do is known only from a time in which jobs waited for it throughout: until then everything
/// is taken. A workflow's new tasks are rationed once what waits needs more than ``patience`` at that rate and still
/// grows. Then as many are taken as end here, whatever number of jobs a task makes: half of them while ``patience`` is
/// waited for, all of them at half of it, and somewhat more below that, so that the queue gets short and stays so. They
/// are shared out equally among the users who ask, with one share free for a newcomer. Queues that are short or slow
/// are not judged: a model that takes a minute for a job has a long queue by nature, and its `backlog` says how long.
///
/// Completions that wait to be settled are one more queue of every workflow: where jobs cost little, the App APIs and
/// their ledger are what has too much to do.
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

    /// What a look at the queues changed.
    enum Change: Sendable, Hashable {
        case began, ended
    }

    private struct Queue {
        /// The jobs that waited when the ledger was read, and those that ran.
        var (waiting, running) = (0, 0)
        var readAt: ContinuousClock.Instant?
        /// Whether jobs waited all the time between the last two reads: what left then is what the service can do.
        var isBusy = false
        /// The last reads of a busy service: seconds between them, and jobs that left meanwhile.
        var reads: [(seconds: Double, left: Double)] = []
        /// Jobs a second, as fast as it went lately; forgotten within minutes, so that workers may restart.
        var rate = 0.0
        /// Jobs a second that were created between the last two reads.
        var arrivals = 0.0
        /// Jobs that left between the last two reads.
        var left = 0.0
        /// Whether more arrived than left.
        var isGrowing = false

        var isPressed: Bool { isGrowing && waiting >= QueuePace.shortest / 4 }
    }

    /// What a workflow was given.
    private struct Flow {
        var judgedAt: ContinuousClock.Instant
        /// Tasks that were taken since, and that ended.
        var taken = 0
        var ended = 0
        var ration: Ration?
    }

    private struct Ration {
        /// Tasks a second that may be taken.
        var pace: Double
        /// One second, in which each user gets an equal share of what was left at its begin.
        var since: ContinuousClock.Instant
        var whole: Double
        var taken = 0
        var lookUps = 0
        /// What each user got who asked.
        var byUser: [String: Int] = [:]
        var askedBefore = 0
        /// Whether a task was refused since the last look.
        var hasRefused = false
        /// The most tasks a second that were taken lately.
        var demand = 0.0

        /// Sets the pace after a look.
        ///
        /// It changes step by step, for tasks end in waves, and the first of a newcomer end late.
        ///
        /// - Parameters:
        ///   - wait: of the patience; nil when there is nearly none.
        ///   - taken: tasks a second since the last look, as `ended`.
        mutating func change(by seconds: Double, wait: Double?, taken: Double, ended: Double) {
            let step = min(1, seconds)
            let wanted = wait.map { ended * min(1.2, max(0.5, 1.5 - $0)) } ?? .infinity
            pace = min(max(wanted, pace * (1 - 0.3 * step)), pace * (wait == nil ? 1 + 0.3 * step : 1 + step))
            // Who asks for little does not save up for later.
            demand = max(taken, demand * (1 - 0.3 * step))
            pace = max(QueuePace.least, min(pace, 4 * max(1, demand)))
        }
    }

    /// Queues with fewer jobs are never too long.
    static let shortest = 1000
    /// Queues that move by fewer jobs a second are not judged.
    static let slowest = 20.0
    /// The name of the queue of completions; no service's name has a space.
    private static let completions = "completions of all apps"
    private static let lookUpsPerSecond = 20
    private static let usersAtMost = 10_000
    /// Tasks a second that are taken of every workflow.
    private static let least = 0.2

    /// How long the queues of a workflow may need; zero for ever.
    let patience: Duration
    private var queues: [String: Queue] = [:]
    private var flows: [String: Flow] = [:]

    init(patience: Duration) { self.patience = patience }

    /// The workflows whose new tasks are rationed, by their keys.
    var rationed: [String] { flows.filter { $0.value.ration != nil }.keys.sorted() }

    func isRationed(_ workflow: String) -> Bool { flows[workflow]?.ration != nil }

    /// Whether so much came lately that the next read is due early.
    var isPressed: Bool {
        queues.values.contains { $0.isPressed } || flows.values.contains { $0.taken >= Self.shortest / 4 }
    }

    /// Takes what the ledger says of a service's jobs.
    ///
    /// - Parameters:
    ///   - waiting: jobs that could run now; those that wait for a repeat are not queued.
    ///   - created: jobs that anybody created since the last read.
    mutating func learn(_ service: String, waiting: Int, running: Int, created: Int, at now: ContinuousClock.Instant) {
        var queue = queues[service, default: Queue()]
        if let readAt = queue.readAt {
            let seconds = max(0.001, (now - readAt).inSeconds)
            let left = Double(max(0, queue.waiting + queue.running + created - waiting - running))
            queue.isBusy = Double(queue.waiting) > left && queue.waiting >= Self.shortest / 4
            var seen = left / seconds
            if queue.isBusy {
                queue.reads = queue.reads.suffix(2) + [(seconds, left)]
                seen = queue.reads.reduce(0) { $0 + $1.left } / queue.reads.reduce(0) { $0 + $1.seconds }
            } else {
                queue.reads = []
            }
            queue.rate = max(seen, queue.rate * (1 - min(1, seconds / 60)))
            queue.arrivals = Double(created) / seconds
            queue.left = left
            queue.isGrowing = Double(created) > left
        }
        (queue.waiting, queue.running, queue.readAt) = (waiting, running, now)
        queues[service] = queue
    }

    /// Takes how many completions wait to be settled; to be called after the services' jobs were learnt.
    ///
    /// For the ledger a job runs until its completion is settled, so what left the services left this queue as well.
    mutating func learn(completions waiting: Int, at now: ContinuousClock.Instant) {
        let left = queues.reduce(0) { $1.key == Self.completions ? $0 : $0 + Int($1.value.left) }
        let before = queues[Self.completions]?.waiting ?? 0
        learn(Self.completions, waiting: waiting, running: 0, created: max(0, waiting - before + left), at: now)
    }

    /// How long what waits for these services will take; nil when that is not to be judged.
    func wait(of services: [String]) -> Duration? { sum(services).map { .seconds($0.seconds) } }

    /// Counts tasks of a workflow that ended.
    mutating func end(_ workflow: String, _ count: Int) { flows[workflow]?.ended += count }

    /// Looks at a workflow's queues after each read: begins and ends its ration, and sets its pace.
    mutating func judge(_ workflow: String, _ services: [String], at now: ContinuousClock.Instant) -> Change? {
        var flow = flows[workflow] ?? Flow(judgedAt: now)
        let seconds = max(0.001, (now - flow.judgedAt).inSeconds)
        let (taken, ended) = (Double(flow.taken) / seconds, Double(flow.ended) / seconds)
        defer {
            (flow.judgedAt, flow.taken, flow.ended) = (now, 0, 0)
            flows[workflow] = flow
        }
        guard var ration = flow.ration else {
            let busy = (services + [Self.completions]).compactMap { queues[$0] }.filter(\.isBusy)
            guard patience > .zero, let known = sum(services, where: \.isBusy), known.jobs >= Double(Self.shortest),
                known.seconds > patience.inSeconds, busy.contains(where: \.isGrowing)
            else { return nil }
            // The part of what arrives at the busiest queue that leaves half of its rate for what waits.
            let part = busy.map { $0.rate / 2 / max(1, $0.arrivals) }.min() ?? 1
            let pace = max(Self.least, taken * min(1, part))
            flow.ration = Ration(pace: pace, since: now, whole: max(1, pace), demand: pace)
            return .began
        }
        let all = sum(services).flatMap { $0.jobs > $0.enough ? $0 : nil }
        guard all != nil || ration.hasRefused else {
            flow.ration = nil
            return .ended
        }
        ration.hasRefused = false
        ration.change(by: seconds, wait: all.map { $0.seconds / patience.inSeconds }, taken: taken, ended: ended)
        flow.ration = ration
        return nil
    }

    /// Whether a user's new task is taken; a task that is taken is counted.
    ///
    /// - Parameter workflow: its key; `services` are always the same for the same.
    mutating func decide(
        workflow: String,
        services: [String],
        user: String,
        at now: ContinuousClock.Instant
    ) -> Decision {
        guard patience > .zero else { return .taken }
        var flow = flows[workflow] ?? Flow(judgedAt: now)
        defer { flows[workflow] = flow }
        guard var ration = flow.ration else {
            flow.taken += 1
            return .taken
        }
        defer { flow.ration = ration }
        let seconds = (now - ration.since).inSeconds
        if seconds >= 1 {
            let whole = min(max(1, ration.pace), ration.whole - Double(ration.taken) + ration.pace * seconds)
            (ration.since, ration.whole, ration.taken, ration.lookUps) = (now, whole, 0, 0)
            (ration.askedBefore, ration.byUser) = (ration.byUser.count, [:])
        }
        let mine = ration.byUser[user, default: 0]
        if ration.byUser.count < Self.usersAtMost { ration.byUser[user] = mine }
        // One share more than there are users is left for one who comes later in this second.
        let share = max(1, Int(ration.whole) / (max(ration.askedBefore, ration.byUser.count) + 1))
        if Double(ration.taken + 1) <= ration.whole, mine < share {
            ration.taken += 1
            ration.byUser[user] = mine + 1
            flow.taken += 1
            return .taken
        }
        ration.lookUps += 1
        ration.hasRefused = true
        let all = sum(services)
        // Until half of the patience is left, while half of what ends is taken; and not before what waits is done.
        let pause = all.map { all in
            let rate = all.jobs / all.seconds
            return max(all.seconds, (all.jobs - max(all.enough, patience.inSeconds / 2 * rate)) / (rate / 2))
        }
        return .refused(
            Refusal(
                wait: .seconds(all?.seconds ?? 0),
                retryAfter: .seconds(max(1, min(60, pause ?? 1))),
                mayLookUp: ration.lookUps <= Self.lookUpsPerSecond
            )
        )
    }

    /// What waits for the tasks of a workflow: the jobs, the seconds they take, and at how many jobs a ration ends.
    ///
    /// A task waits once for each service, and once for each that its completion is settled.
    private func sum(
        _ services: [String],
        where isMeant: (Queue) -> Bool = { _ in true }
    ) -> (jobs: Double, seconds: Double, enough: Double)? {
        var (jobs, seconds) = (0.0, 0.0)
        for (name, times) in services.map({ ($0, 1) }) + [(Self.completions, services.count)] {
            guard let queue = queues[name], isMeant(queue), queue.rate >= Self.slowest, queue.waiting > 0 else {
                continue
            }
            jobs += Double(queue.waiting)
            seconds += Double(queue.waiting * times) / queue.rate
        }
        guard jobs > 0 else { return nil }
        return (jobs, seconds, max(Double(Self.shortest / 2), patience.inSeconds / 8 * jobs / seconds))
    }
}
