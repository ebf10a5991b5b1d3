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
        /// Whether its result is being recorded.
        var isEnding = false
        /// Whether the process that it was given to has gone: its lease is left to run out.
        var isForsaken = false
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
    private var ping: (at: Moment, jobs: Set<JobID>)?
    /// Whether its pings have ever named a job; those of old packages never do.
    private var pingsNameJobs = false

    init(at now: Moment) { heardAt = now }

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
    /// - Parameter isIdle: whether it says that it runs nothing.
    /// - Returns: the job that it ran to its end without a result that could be handed in.
    mutating func asks(for count: Int, lastJob: JobID?, isIdle: Bool) -> (JobID, Held)? {
        slots = max(1, jobs.count + count)
        guard isIdle else { return nil }
        let isKnown = knows(lastJob)
        var lost: (JobID, Held)?
        for (id, held) in jobs where !held.isEnding {
            // It says what it ran last; whatever else it was given, this process does not run.
            if isKnown, id == lastJob {
                lost = (id, held)
                jobs[id] = nil
            } else {
                jobs[id]?.isForsaken = true
            }
        }
        return lost
    }

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
        remember(job)
        slots = max(slots, jobs.count)
    }

    /// A job that never reached it.
    mutating func takeBack(_ job: JobID, _ lease: LeaseID) {
        if jobs[job]?.lease == lease { jobs[job] = nil }
    }

    /// Its result for a job is being recorded, or could not be.
    mutating func ending(_ job: JobID, _ isEnding: Bool) {
        remember(job)
        jobs[job]?.isEnding = isEnding
    }

    /// Its result for a job was recorded, or is worth nothing.
    mutating func ended(_ job: JobID) {
        jobs[job] = nil
        stops.remove(job)
    }

    /// Compares with the jobs that run on it by the ledger, asked for at `asked`: what it holds no longer shall stop.
    mutating func compare(_ running: [JobID: LeaseID], asked: Moment) {
        for (id, held) in jobs where held.since < asked && !held.isEnding && running[id] != held.lease {
            jobs[id] = nil
            if running[id] == nil { stops.insert(id) }
        }
        for (id, lease) in running where jobs[id] == nil {
            jobs[id] = Held(lease: lease, since: asked)
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
            if held.isForsaken { return nil }
            if pingsNameJobs, let ping, now - ping.at < Self.namedAfter, now - held.since > Self.namedAfter,
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
            jobs[id].flatMap { $0.isForsaken ? nil : LeaseProbe(job: id, lease: $0.lease) }
        }
    }

    private func knows(_ job: JobID?) -> Bool { job.map { recent.contains($0) } ?? false }

    private mutating func remember(_ job: JobID) {
        guard !recent.contains(job) else { return }
        recent.append(job)
        if recent.count > Self.memory { recent.removeFirst() }
    }
}
