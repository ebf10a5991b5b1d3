// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// The port to the database that is the truth of the mesh; see design.md, "The truth and the paths".
///
/// Every method is one transaction and takes batches. All comparisons of time use the ledger's own clock.
/// Every method throws ``LedgerError`` and nothing else.
public protocol Ledger: Sendable {
    /// Runs the numbered migrations that are missing; safe when several roles start at once.
    func migrate() async throws(LedgerError)

    /// Answers when the database does, within a few seconds.
    func ping() async throws(LedgerError)

    /// Keeps definitions by their hash; one that is there already is left alone.
    func store(definitions: [WorkflowDefinition]) async throws(LedgerError)

    /// A definition that was stored, also one that no file holds any more; nil for an unknown hash.
    func definition(hash: String) async throws(LedgerError) -> WorkflowDefinition?

    /// Accepts requests: per request one task, its run and its first jobs, or what was accepted before instead.
    func accept(_ requests: [NewTask]) async throws(LedgerError) -> [NewTask.Acceptance]

    /// What ``accept(_:)`` would find of a request that came before: `repeated` or `clash`; nil for a new one.
    func earlier(
        app: String,
        user: String,
        request: String,
        fingerprint: [UInt8]
    ) async throws(LedgerError) -> NewTask.Acceptance?

    /// Creates direct jobs, all or none; tells of each what became of it, in their order.
    ///
    /// A dedup key is unique among the jobs of an owner (``JobLabels/ownerService``, nil being one as well); two of the
    /// same key in one call: the second is `existing`, as the first.
    @discardableResult
    func create(_ jobs: [JobRecord]) async throws(LedgerError) -> [JobCreation]

    /// The jobs that the dedup keys of these labels stand for, in their order; nil for one without a key, or a new one.
    func existing(_ labels: [JobLabels]) async throws(LedgerError) -> [JobID?]

    /// Records what happened to jobs and whole tasks and advances their runs: the heart of the mesh.
    ///
    /// Locks tasks' runs, then jobs, each by id; drives a ``Settling``; writes what it plans; commits.
    /// Results of a stage that come to more than ``Settling/maxOutputBytes`` are never loaded, so fail their run.
    func settle(
        _ settlements: [Settlement],
        tasks: [TaskSettlement],
        finishing: any RunFinishing
    ) async throws(LedgerError) -> SettleOutcome

    /// Claims up to `leases.count` due jobs of a service, first by rank; repeating the same leases gives the same jobs.
    ///
    /// A claimed job carries one of the leases. Fewer jobs than leases means that no more are due, from that rank on.
    ///
    /// - Parameter rank: due jobs of lower ranks are passed over; nil for none. PostgreSQL then need not step over what was
    ///   claimed before them since its last vacuum. Jobs that hold the leases already are told whatever their ranks.
    func claim(
        service: String,
        worker: String,
        leases: [LeaseID],
        from rank: Int64?
    ) async throws(LedgerError) -> [JobRecord]

    /// Claims up to `leases.count` due jobs of a service for a worker that holds them by time, first by rank; repeating
    /// the same leases gives the same jobs. Their `leaseUntil` is set; the reaper goes by that alone.
    func claim(_ claim: RemoteClaim) async throws(LedgerError) -> [JobRecord]

    /// Makes leases of remote workers last `duration` from now; tells how they stand, in their order. A lease of a
    /// worker that beats is told of and left as it is.
    func renew(_ leases: [LeaseProbe], for duration: Duration) async throws(LedgerError) -> [LeaseProbe.Standing]

    /// Gives claimed jobs back to be claimed by others; a stale lease is passed over.
    ///
    /// - Returns: the jobs that wait again, for their tickets.
    func handBack(_ leases: [LeaseProbe]) async throws(LedgerError) -> [Job]

    /// Renews a worker's row and tells how its leases stand, in their order.
    func beat(_ beat: WorkerBeat, leases: [LeaseProbe]) async throws(LedgerError) -> [LeaseProbe.Standing]

    /// Up to 1,000 leases of jobs that were created as claimed by a worker, at least `age` ago by the ledger's clock, and
    /// still run: it gives back those that it never heard of.
    func assigned(to worker: String, olderThan age: Duration) async throws(LedgerError) -> [LeaseProbe]

    /// Removes a worker's row at its orderly end.
    func retire(worker: String) async throws(LedgerError)

    /// Requeues the jobs of workers whose beat is older than `age`, or that have no row, and those whose `leaseUntil` has
    /// passed; removes rows of the long dead.
    ///
    /// - Returns: the jobs that wait again, for their tickets; and those that have been orphaned too often, still
    ///   running, for the caller to settle with `.orphaned`.
    func reap(olderThan age: Duration, limit: Int) async throws(LedgerError) -> (ready: [Job], poison: [Job])

    /// Makes waiting jobs due whose `runAfter` has come; returns how many of each service became due.
    func promote(limit: Int) async throws(LedgerError) -> [String: Int]

    /// Settlements that time asks for: attempts past their limit, direct jobs past their deadline, tasks past theirs.
    ///
    /// - Parameter apps: the apps whose tasks to look at; nil for direct jobs only.
    func overdue(apps: [String]?, limit: Int) async throws(LedgerError) -> (jobs: [Settlement], tasks: [TaskSettlement])

    /// Sets waiting jobs aside for `delay`: their hand-over was refused or failed.
    func postpone(_ jobs: [JobID], by delay: Duration) async throws(LedgerError)

    /// What waits and runs, of these services; a service without jobs has zeros.
    func loads(of services: [String]) async throws(LedgerError) -> [ServiceLoad]

    /// How many jobs of these services were created since, in whatever state they are now; none has no entry.
    ///
    /// Meant for the last seconds: it walks the jobs by their ids, which begin with the time.
    func created(of services: [String], since moment: Timestamp) async throws(LedgerError) -> [String: Int]

    /// The moment by the ledger's own clock, by which all times in it are judged.
    func time() async throws(LedgerError) -> Timestamp

    /// Takes due callbacks for `hold`: until then no other process gets them.
    func takeCallbacks(apps: [String], limit: Int, hold: Duration) async throws(LedgerError) -> [CallbackRecord]

    /// Keeps callbacks that this process has for `hold` from now, so that no other process takes them meanwhile.
    ///
    /// One whose hold is over already, or that is due at once because it was replayed, is left as it is.
    func holdCallbacks(_ ids: [MeshID], for hold: Duration) async throws(LedgerError)

    /// Makes callbacks due now that this process has no room for.
    ///
    /// One whose hold is not the named one any more, because it was renewed, tried or taken by another, is left as it is.
    func releaseCallbacks(_ held: [HeldCallback]) async throws(LedgerError)

    /// Records attempts, each with the callback's state after it and when it is due again.
    ///
    /// One that is recorded already, by its callback and the moment it began, is not recorded twice: the answer to the
    /// first call may have been lost.
    ///
    /// An attempt that is no longer the callback's next one, because it was replayed or someone else was faster, goes
    /// into the history only, unless it delivered what had been tried before. What is delivered stays delivered.
    func record(
        _ attempts: [(attempt: CallbackAttempt, state: CallbackRecord.State, dueIn: Duration?)]
    ) async throws(LedgerError)

    /// The callbacks of a task with their attempts, oldest first.
    func callbacks(
        of task: TaskID
    ) async throws(LedgerError) -> [(callback: CallbackRecord, attempts: [CallbackAttempt])]

    /// Makes a task's callbacks due now, with all attempts ahead of them again; returns how many there are.
    func replayCallbacks(of task: TaskID) async throws(LedgerError) -> Int

    /// A task with its run and how many of its jobs were ever claimed; nil when there is none.
    func task(_ id: TaskID) async throws(LedgerError) -> TaskView?

    /// The jobs of a task without payloads, by stage and item, at most `limit`.
    func jobs(ofTask task: TaskID, limit: Int) async throws(LedgerError) -> [Job]

    /// Jobs newest first, without payloads.
    func jobs(_ query: JobQuery) async throws(LedgerError) -> [Job]

    /// The numbers of jobs by groups, sorted by group; swept jobs are not counted.
    func statistics(_ query: JobStatisticsQuery) async throws(LedgerError) -> [JobStatistics]

    /// How many due jobs of its service are claimed before this waiting job, counted up to `limit`; nil when it does not
    /// wait or is not due.
    func jobsAhead(of job: JobID, limit: Int) async throws(LedgerError) -> Int?

    /// How the jobs of a service fared that ended last, newest first, as far as `limit` of the latest created tell;
    /// cancelled ones are left out.
    func timings(ofService service: String, limit: Int) async throws(LedgerError) -> [JobTiming]

    /// The attempts of a job that did not succeed, oldest first; the ledger keeps at least the last 20 of each job.
    func attempts(ofJob job: JobID) async throws(LedgerError) -> [AttemptRecord]

    /// What waits and runs for these users; one without jobs has zeros.
    func loads(ofUsers users: [String]) async throws(LedgerError) -> [UserLoad]

    /// Tells how far the ranks reach that this process has given out, and reads what all have: a tail only ever grows,
    /// one behind its queue's head is forgotten. Its loss is harmless.
    func share(_ tails: [FairTail], services: [String]) async throws(LedgerError) -> FairView

    /// One job with its payloads; nil when there is none.
    func job(_ id: JobID) async throws(LedgerError) -> JobRecord?

    /// The numbers of each method: of the user, or else of each user and of all together, in no order.
    func numbers(_ query: NumbersQuery) async throws(LedgerError) -> [Numbers]

    /// The workers that have a row: those that beat, and those that fell silent within the last ten minutes.
    func workers() async throws(LedgerError) -> [WorkerRecord]

    /// Deletes at most `limit` tasks (with runs, jobs and callbacks) and direct jobs that ended before `moment`; their
    /// counts stay in the numbers. A task whose callback is still to be sent stays. Returns how many tasks and direct
    /// jobs went.
    func sweep(finishedBefore moment: Timestamp, limit: Int) async throws(LedgerError) -> Int

    /// Reads a small named document and its version; nil when there is none. Version 1 is the first.
    func document(_ name: String) async throws(LedgerError) -> (version: Int, bytes: [UInt8])?

    /// Writes a small named document if its version is still `expected` (0 for one that is not there yet).
    ///
    /// - Returns: whether it was written, as version `expected + 1`.
    func write(document name: String, expecting expected: Int, _ bytes: [UInt8]) async throws(LedgerError) -> Bool

    /// Ends every connection; calls after it throw `unavailable`.
    func close() async
}

/// A task as a reader sees it.
public struct TaskView: Sendable {
    /// The task.
    public var task: TaskRecord
    /// Its run.
    public var run: Run
    /// The names of the run's stages, in order; empty when the definition is gone.
    public var stageNames: [String]
    /// When its first job was claimed; nil while none was.
    public var startedAt: Timestamp?

    /// Makes a view.
    public init(task: TaskRecord, run: Run, stageNames: [String], startedAt: Timestamp?) {
        self.task = task
        self.run = run
        self.stageNames = stageNames
        self.startedAt = startedAt
    }
}

extension Ledger {
    /// Claims up to `leases.count` due jobs of a service, first by rank, of all that are due.
    public func claim(
        service: String,
        worker: String,
        leases: [LeaseID]
    ) async throws(LedgerError) -> [JobRecord] {
        try await claim(service: service, worker: worker, leases: leases, from: nil)
    }
}
