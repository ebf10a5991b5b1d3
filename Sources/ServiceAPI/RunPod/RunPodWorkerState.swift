// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// What one Service API knows of one RunPod worker: its connections, the jobs it was given, and whether it gets more.
///
/// Pure: moments come from outside. The ledger is the truth on the jobs; this is what a call needs in between.
struct RunPodWorkerState: Sendable {
    typealias Moment = ContinuousClock.Instant

    /// A job that the worker was given.
    struct Held: Hashable {
        var lease: LeaseID
        var since: Moment
        var phase = Phase.running

        /// Whether the worker has handed in a result for it.
        var hasResult: Bool { phase == .ending || phase == .reported }
        /// Whether the worker's signs of life renew its lease; that of a reported job was made long, to wait for its app.
        var isRenewed: Bool { phase != .forsaken && phase != .reported }
    }

    /// How far a held job is, as far as is known here.
    enum Phase: Hashable {
        case running
        /// Its result is being recorded.
        case ending
        /// Its result was reported to its app, which has not recorded it yet.
        case reported
        /// Its result came and could not be recorded; the package tries a few times, then drops it.
        case unrecorded
        /// The worker has run it to its end, and no result was seen since then. Another API may have taken it in.
        case unanswered(since: Moment)
        /// The process that it was given to has gone, or its result is lost: its lease is left to run out.
        case forsaken
    }

    /// How many ids of jobs are remembered, to know a process by the last job that it names.
    static let memory = 256
    /// The age from which on a held job must be among those that the worker's pings name.
    static let namedAfter: Duration = .seconds(30)

    var connections = RunPodWorkerConnections()
    /// The jobs it runs, as far as is known here.
    private(set) var jobs: [JobID: Held] = [:]
    /// The jobs that it shall stop and was not told of yet.
    private(set) var stops: Set<JobID> = []
    /// How many jobs it can run at once, as far as it has shown.
    private(set) var slots = 1
    /// When a person or its orchestrator said that it gets no more jobs.
    private(set) var drainedAt: Moment?
    /// Whether a handler asked for a fresh process (`refresh_worker`), which only the worker's keeper can start.
    private(set) var wantsRestart = false
    /// What a failed check at its start said.
    private(set) var trouble: String?
    private(set) var heardAt: Moment
    /// When its leases were renewed last.
    private(set) var renewedAt: Moment?
    private var recent: [JobID] = []
    /// Jobs whose result could not be recorded here, the last ones: those that another API gave are not held then.
    private var unrecorded: [JobID] = []
    private var ping: (at: Moment, jobs: Set<JobID>)?
    /// Whether its pings have ever named a job; those of old packages never do.
    private var pingsNameJobs = false

    init(at now: Moment) { heardAt = now }

    /// How many jobs it runs; those that it has handed in are not among them.
    var running: Int { jobs.values.count { !$0.hasResult } }

    /// Why it gets no jobs; nil when it does.
    var refusal: String? {
        if wantsRestart { return "a handler asked for a fresh process (refresh_worker): restart this worker" }
        return drainedAt == nil ? nil : "this worker is draining and gets no more jobs"
    }

    // MARK: Calls

    /// The worker's process calls.
    ///
    /// To be said before its connection is; a fresh process under the same id begins anew.
    ///
    /// - Parameter lastJob: the job that the process names as its last (`X-Request-ID`).
    mutating func called(lastJob: JobID?, at now: Moment) {
        if !knows(lastJob) { meet(at: now) }
        heardAt = now
        trouble = nil
    }

    /// The worker asks for jobs.
    ///
    /// - Parameter isIdle: whether it says that it runs nothing: a job that it ran last and still holds has ended
    ///   without a result, see ``takeUnanswered(after:at:)``.
    mutating func asks(for count: Int, lastJob: JobID?, isIdle: Bool, at now: Moment) {
        slots = max(1, running + count)
        guard isIdle else { return }
        let isKnown = knows(lastJob)
        for (id, held) in jobs {
            switch held.phase {
            case .running where isKnown && id == lastJob: jobs[id]?.phase = .unanswered(since: now)
            // It says what it ran last; whatever else it was given, this process does not run. And a result that is
            // lost is no failure of the handler's.
            case .running, .unrecorded: jobs[id]?.phase = .forsaken
            case .ending, .reported, .unanswered, .forsaken: break
            }
        }
    }

    /// Whether there are jobs to be had from ``takeUnanswered(after:at:)``.
    func hasUnanswered(after delay: Duration, at now: Moment) -> Bool {
        jobs.values.contains { Self.isUnanswered($0, after: delay, at: now) }
    }

    /// The jobs that ended without a result at least `delay` ago, to be failed now; the ledger is to be asked before.
    mutating func takeUnanswered(after delay: Duration, at now: Moment) -> [JobID] {
        let found = jobs.filter { Self.isUnanswered($0.value, after: delay, at: now) }.map(\.key)
        for id in found { jobs[id]?.phase = .ending }
        return found
    }

    private static func isUnanswered(_ held: Held, after delay: Duration, at now: Moment) -> Bool {
        guard case .unanswered(let since) = held.phase else { return false }
        return now - since >= delay
    }

    /// A job could not be failed: that is to be tried again.
    mutating func remainsUnanswered(_ job: JobID, at now: Moment) { jobs[job]?.phase = .unanswered(since: now) }

    /// Another process than the one that was drained or asked for its end.
    private mutating func meet(at now: Moment) {
        wantsRestart = false
        guard let drainedAt else { return }
        let hasGone = connections.goneSince.map { $0 > drainedAt } ?? false
        let wasSilent = connections.isEmpty && now - heardAt > Self.namedAfter
        if hasGone || wasSilent { self.drainedAt = nil }
    }

    /// It gets no more jobs.
    mutating func drain(at now: Moment) { drainedAt = now }

    /// A handler asked for a fresh process.
    mutating func askRestart() { wantsRestart = true }

    /// Its other process pings, naming the jobs in progress.
    mutating func pings(_ jobs: Set<JobID>, at now: Moment) {
        ping = (now, jobs)
        if !jobs.isEmpty { pingsNameJobs = true }
    }

    /// A check at its start failed; it ends.
    mutating func failsCheck(_ reason: String, at now: Moment) {
        heardAt = now
        trouble = reason
    }

    // MARK: Jobs

    /// It is given a job.
    mutating func give(_ job: JobID, _ lease: LeaseID, at now: Moment) {
        jobs[job] = Held(lease: lease, since: now)
        stops.remove(job)
        unrecorded.removeAll { $0 == job }
        remember(job)
        slots = max(slots, running)
    }

    /// A job that never reached it.
    mutating func takeBack(_ job: JobID, _ lease: LeaseID) {
        if jobs[job]?.lease == lease { jobs[job] = nil }
    }

    /// Its result for a job is being recorded.
    mutating func ending(_ job: JobID) {
        remember(job)
        jobs[job]?.phase = .ending
    }

    /// Its result for a job could not be recorded.
    mutating func unrecorded(_ job: JobID) {
        jobs[job]?.phase = .unrecorded
        guard !unrecorded.contains(job) else { return }
        unrecorded.append(job)
        if unrecorded.count > Self.memory { unrecorded.removeFirst() }
    }

    /// Its result for a job was reported to the job's app, which has not recorded it yet: until it has, or the job runs
    /// under another lease, the job is neither this worker's to fail nor left to others.
    mutating func reported(_ job: JobID, _ lease: LeaseID, at now: Moment) {
        jobs[job] = Held(lease: lease, since: jobs[job]?.since ?? now, phase: .reported)
        stops.remove(job)
        unrecorded.removeAll { $0 == job }
    }

    /// Its result for a job was recorded, or is worth nothing.
    mutating func ended(_ job: JobID) {
        jobs[job] = nil
        stops.remove(job)
        unrecorded.removeAll { $0 == job }
    }

    /// Compares with the jobs that run on it by the ledger, asked for at `asked`: what it holds no longer shall stop.
    ///
    /// - Parameter reported: those of them whose results an API has reported to their apps, by the length of their leases.
    mutating func compare(_ running: [JobID: LeaseID], reported: Set<JobID> = [], asked: Moment) {
        for (id, held) in jobs where held.since < asked && held.phase != .ending && running[id] != held.lease {
            jobs[id] = nil
            if running[id] == nil, held.phase != .reported { stops.insert(id) }
        }
        for id in reported {
            guard let held = jobs[id], held.lease == running[id] else { continue }
            if held.phase != .ending, held.phase != .unrecorded { jobs[id]?.phase = .reported }
        }
        for (id, lease) in running where jobs[id] == nil {
            if reported.contains(id), !unrecorded.contains(id) {
                jobs[id] = Held(lease: lease, since: asked, phase: .reported)
                continue
            }
            jobs[id] = Held(lease: lease, since: asked, phase: unrecorded.contains(id) ? .unrecorded : .running)
            remember(id)
        }
    }

    /// These leases were cancelled; returns whether it holds one of them.
    mutating func cancelled(_ leases: Set<LeaseID>) -> Bool {
        let found = jobs.filter { leases.contains($0.value.lease) }.keys
        for id in found {
            jobs[id] = nil
            stops.insert(id)
        }
        return !found.isEmpty
    }

    /// The jobs that it shall stop; they count as told.
    mutating func takeStops() -> Set<JobID> {
        defer { stops = [] }
        return stops
    }

    /// It was not told after all.
    mutating func restoreStops(_ jobs: Set<JobID>) { stops.formUnion(jobs.filter { self.jobs[$0] == nil }) }

    /// Its leases are being renewed.
    mutating func renews(at now: Moment) { renewedAt = now }

    /// The leases that a call of the worker's own process renews: a job that its pings have stopped to name, or never
    /// named, was lost on the way or has ended without a result.
    func renewedByCall(at now: Moment) -> [LeaseProbe] {
        jobs.compactMap { id, held in
            if !held.isRenewed { return nil }
            if pingsNameJobs, let ping, now - ping.at < Self.namedAfter,
                now - held.since > Self.namedAfter,
                !ping.jobs.contains(id)
            {
                return nil
            }
            return LeaseProbe(job: id, lease: held.lease)
        }
    }

    /// The leases that a ping renews: those of the jobs it names, unless the worker's own process has gone.
    func renewedByPing(grace: Duration, at now: Moment) -> [LeaseProbe] {
        if let gone = connections.goneSince, now - gone > grace { return [] }
        return (ping?.jobs ?? []).compactMap { id in
            jobs[id].flatMap { !$0.isRenewed ? nil : LeaseProbe(job: id, lease: $0.lease) }
        }
    }

    private func knows(_ job: JobID?) -> Bool { job.map { recent.contains($0) } ?? false }

    private mutating func remember(_ job: JobID) {
        guard !recent.contains(job) else { return }
        recent.append(job)
        if recent.count > Self.memory { recent.removeFirst() }
    }
}
