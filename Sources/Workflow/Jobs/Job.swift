// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// The id of a task.
public typealias TaskID = MeshID
/// The id of a job.
public typealias JobID = MeshID
/// The id of a lease: one worker's hold on one attempt.
public typealias LeaseID = MeshID

/// What the rules need to know of a job: everything but its input and result.
public struct Job: Sendable, Hashable {
    /// The job's id.
    public var id: JobID
    /// The task it belongs to; nil for a direct job.
    public var task: TaskID?
    /// The app whose run it belongs to; nil for a direct job.
    ///
    /// Names the completions queue.
    public var app: String?
    /// The index of its stage in the workflow; nil for a direct job.
    public var stage: Int?
    /// Its position in the stage's fan-out; nil for a stage without `foreach`.
    public var item: Int?
    /// The service that runs it.
    public var service: String
    /// Where it stands.
    public var state: JobState = .waiting
    /// The lease of the present attempt, while running.
    public var lease: LeaseID?
    /// The worker that holds the lease, while running.
    public var worker: String?
    /// When the lease ends unless it is renewed; nil while waiting, and for the mesh's own workers, who beat instead.
    public var leaseUntil: Timestamp?
    /// How often it was claimed.
    public var attempt = 0
    /// How often its handler failed; only this counts against `maxAttempts`.
    public var failures = 0
    /// How often its handler's process died; poison at 2.
    public var deaths = 0
    /// How often its worker died; it runs alone from 2, poison at 10.
    public var orphaned = 0
    /// How many failures end it.
    public var maxAttempts: Int
    /// The delays between failures.
    public var backoff: Backoff
    /// The time limit of one attempt.
    public var timeout: Duration
    /// When the task (or the direct job) is over, whatever happens.
    public var deadline: Timestamp?
    /// Not to be claimed before then; nil when due.
    public var runAfter: Timestamp?
    /// The claim order within the service: smaller first.
    public var rank: Int64
    /// When it was created.
    public var createdAt: Timestamp
    /// When the present attempt was claimed.
    public var startedAt: Timestamp?
    /// When it reached its final state.
    public var finishedAt: Timestamp?
    /// Why it failed, last.
    public var error: JobError?
    /// The W3C `traceparent` of the request.
    public var trace: String?
    /// What a direct job carries for its caller; nil for a job of a task.
    public var labels: JobLabels?

    /// Makes a waiting job.
    public init(
        id: JobID,
        task: TaskID? = nil,
        app: String? = nil,
        stage: Int? = nil,
        item: Int? = nil,
        service: String,
        maxAttempts: Int = 3,
        backoff: Backoff = Job.defaultBackoff,
        timeout: Duration = .seconds(600),
        deadline: Timestamp? = nil,
        runAfter: Timestamp? = nil,
        rank: Int64? = nil,
        createdAt: Timestamp,
        trace: String? = nil,
        labels: JobLabels? = nil
    ) {
        self.id = id
        self.task = task
        self.app = app
        self.stage = stage
        self.item = item
        self.service = service
        self.maxAttempts = maxAttempts
        self.backoff = backoff
        self.timeout = timeout
        self.deadline = deadline
        self.runAfter = runAfter
        self.rank = rank ?? createdAt.microseconds
        self.createdAt = createdAt
        self.trace = trace
        self.labels = labels
    }

    /// The delays between failures where a definition names none: 1 s, doubling up to 1 min.
    public static let defaultBackoff = Backoff(base: .seconds(1), cap: .seconds(60))
}
