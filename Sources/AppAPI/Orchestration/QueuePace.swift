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

        /// Whether it has more to do than it can, and moves fast enough to be judged by that.
        var isJudged: Bool { isBusy && rate >= QueuePace.slowest }

        var isPressed: Bool { isGrowing && waiting >= QueuePace.shortest / 4 }
    }

    /// What a workflow was given.
    private struct Flow {
        /// Tasks that were taken since the last look, and that ended.
        var taken = 0
        var ended = 0
        /// When anybody asked for a task last.
        var askedAt: ContinuousClock.Instant
        var ration: TaskRation?

        /// Whether anybody asked for a task lately.
        func isAskedFor(at now: ContinuousClock.Instant) -> Bool { now - askedAt < .seconds(20) }

        /// Changes its ration after a look, or ends it: once nearly nothing waits (`wait` is nil) and nobody is refused.
        mutating func change(by seconds: Double, wait: Double?, gift: Double) {
            guard wait != nil || ration?.hasRefused == true else {
                ration = nil
                return
            }
            let (taken, ended) = (Double(taken) / seconds, Double(ended) / seconds)
            ration?.change(by: seconds, wait: wait, taken: taken, ended: ended, gift: gift)
        }

        /// Whether a user's new task is taken, which is then counted.
        mutating func takes(_ user: String, at now: ContinuousClock.Instant) -> Bool {
            askedAt = now
            guard ration?.takes(user, at: now) ?? true else { return false }
            taken += 1
            return true
        }
    }

    /// Queues with fewer jobs, those of all services of a workflow together, are never too long.
    static let shortest = 1000
    /// Queues that move by fewer jobs a second are not judged.
    static let slowest = 20.0
    /// The name of the queue of completions; no service's name has a space.
    private static let completions = "completions of all apps"
    private static let lookUpsPerSecond = 20
    /// The part of all that ends in rationed workflows which is shared out among them anew at each look.
    private static let handedAround = 0.05
    /// A time without reads after which nobody knows what a service can do.
    private static let longestGap = 10.0

    /// How long the queues of a workflow may need; zero for ever.
    let patience: Duration
    private var queues: [String: Queue] = [:]
    private var flows: [String: Flow] = [:]
    /// When the workflows were judged last.
    private var judgedAt: ContinuousClock.Instant?

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
        let seconds = queue.readAt.map { max(0.001, (now - $0).inSeconds) }
        if let seconds, seconds > Self.longestGap {
            // The ledger was away: nothing could leave meanwhile.
            (queue.reads, queue.isBusy, queue.isGrowing, queue.left) = ([], false, false, 0)
        } else if let seconds {
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

    /// Takes how many completions wait to be settled, nil when nobody knows; to be called after the services' jobs.
    ///
    /// For the ledger a job runs until its completion is settled, so what left the services left this queue as well. Jobs
    /// without a task leave them too: beside many of those the settling is taken for faster than it is.
    mutating func learn(completions waiting: Int?, at now: ContinuousClock.Instant) {
        guard let waiting else {
            queues[Self.completions] = nil
            return
        }
        let left = queues.reduce(0) { $1.key == Self.completions ? $0 : $0 + Int($1.value.left) }
        let before = queues[Self.completions]?.waiting ?? 0
        learn(Self.completions, waiting: waiting, running: 0, created: max(0, waiting - before + left), at: now)
    }

    /// How long what waits for these services will take; nil when that is not to be judged.
    func wait(of services: [String]) -> Duration? { sum(services).map { .seconds($0.seconds) } }

    /// Counts tasks of a workflow that ended.
    mutating func end(_ workflow: String, _ count: Int) { flows[workflow]?.ended += count }

    /// Looks at the queues after each read: begins and ends the rations of workflows, and sets their paces.
    ///
    /// - Parameter workflows: the services of each, by its key.
    mutating func judge(_ workflows: [String: [String]], at now: ContinuousClock.Instant) -> [String: Change] {
        let seconds = max(0.001, judgedAt.map { (now - $0).inSeconds } ?? 1)
        judgedAt = now
        let asking = workflows.filter { name, _ in
            flows[name].map { $0.ration != nil && $0.isAskedFor(at: now) } ?? false
        }
        // All are slowed down alike by the settling, whatever part of it each needs: or those that need little would
        // drive out the others.
        let settled = asking.map(\.value.count).max() ?? 1
        // And all get a little more than what ended, equally, so that their shares become equal.
        let ended = asking.keys.reduce(0) { $0 + (flows[$1]?.ended ?? 0) }
        let gift = Self.handedAround * Double(ended) / seconds / Double(max(1, asking.count))
        var changes: [String: Change] = [:]
        for (workflow, services) in workflows {
            guard var flow = flows[workflow] else { continue }
            if flow.ration == nil {
                if flow.isAskedFor(at: now) {
                    flow.ration = ration(of: services, taken: Double(flow.taken) / seconds, gift, seconds, at: now)
                }
                if flow.ration != nil { changes[workflow] = .began }
            } else {
                let all = sum(services, settled: settled).flatMap { $0.jobs > $0.enough ? $0 : nil }
                flow.change(by: seconds, wait: all.map { $0.seconds / patience.inSeconds }, gift: gift)
                if flow.ration == nil { changes[workflow] = .ended }
            }
            (flow.taken, flow.ended) = (0, 0)
            flows[workflow] = flow
        }
        return changes
    }

    /// The ration that begins now; nil when what waits is not too much.
    private func ration(
        of services: [String],
        taken: Double,
        _ gift: Double,
        _ seconds: Double,
        at now: ContinuousClock.Instant
    ) -> TaskRation? {
        guard patience > .zero else { return nil }
        var busy = services.compactMap { queues[$0] }.filter(\.isJudged)
        if var completions = queues[Self.completions], completions.isJudged {
            // New tasks have made their first jobs only: each brings a completion of every service.
            let most = services.compactMap { queues[$0]?.arrivals }.max() ?? 0
            completions.arrivals = max(completions.arrivals, most * Double(services.count))
            busy.append(completions)
        }
        // How many times what it can do arrives at the busiest queue.
        let excess = busy.map { $0.arrivals / $0.rate }.max() ?? 0
        // What waits now, and at the next look if it goes on like that.
        guard let known = sum(services, where: \.isBusy), known.jobs >= Double(Self.shortest),
            known.seconds + max(0, excess - 1) * min(1, seconds) > patience.inSeconds,
            busy.contains(where: \.isGrowing)
        else { return nil }
        // Half of what the busiest queue can do is left for what waits.
        return TaskRation(pace: max(gift, taken / max(1, 2 * excess)), at: now)
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
        guard patience > .zero, !flows[workflow, default: Flow(askedAt: now)].takes(user, at: now) else {
            return .taken
        }
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
                mayLookUp: (flows[workflow]?.ration?.refused ?? 0) <= Self.lookUpsPerSecond
            )
        )
    }

    /// What waits for the tasks of a workflow: the jobs, the seconds they take, and at how many jobs a ration ends.
    ///
    /// A task waits once for each service, and once for each (or `settled` times) that a completion is settled.
    private func sum(
        _ services: [String],
        settled: Int? = nil,
        where isMeant: (Queue) -> Bool = { _ in true }
    ) -> (jobs: Double, seconds: Double, enough: Double)? {
        var (jobs, seconds) = (0.0, 0.0)
        for (name, times) in services.map({ ($0, 1) }) + [(Self.completions, settled ?? services.count)] {
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
