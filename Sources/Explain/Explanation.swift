// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

/// Why a job or a task is where it is, in fields and in words; see the job contract, "Explain".
public struct Explanation: Sendable {
    /// What is explained.
    public enum Subject: String, Sendable, Hashable {
        /// A job.
        case job
        /// A task.
        case task
    }

    /// Why it is where it is, in a word that a script can compare.
    public enum Cause: String, Sendable, Hashable, CaseIterable {
        /// It ended with a result.
        case completed
        /// Its handler failed for good.
        case failed
        /// Someone cancelled it.
        case cancelled
        /// Its deadline passed.
        case deadlinePassed = "deadline_passed"
        /// A worker runs it.
        case running
        /// Its worker has not been heard of lately.
        case workerSilent = "worker_silent"
        /// It waits for the time of its next try.
        case waitingForRetry = "waiting_for_retry"
        /// It is not to run before a time that its caller named, or was set aside by a full backlog.
        case waitingForTime = "waiting_for_time"
        /// No worker has ever taken a job of its service.
        case noWorkerEver = "no_worker_ever"
        /// The workers of its service are gone.
        case workersGone = "workers_gone"
        /// Workers are there, but their handlers do not start.
        case handlersFail = "handlers_fail_to_start"
        /// All workers of its service drain.
        case workersDrain = "workers_drain"
        /// Others are before it.
        case queued
        /// A server that it needs does not answer.
        case serverDown = "server_down"
        /// Its stage waits for the other jobs of its join.
        case waitingForJoin = "waiting_for_join"
        /// All its jobs have ended; the App API has yet to go on.
        case waitingForApp = "waiting_for_app"
    }

    /// A place in a queue.
    public struct Place: Sendable, Hashable {
        /// How many jobs are claimed before it.
        public var ahead: Int
        /// Whether there are more than were counted.
        public var isAtLeast: Bool
        /// The expected wait; nil when too little is known to foresee it.
        public var forecast: WaitForecast?
    }

    /// A worker that could run it.
    public struct Worker: Sendable {
        /// Its last beat.
        public var record: WorkerRecord
        /// Whether it has beaten lately.
        public var isAlive: Bool { record.isAlive }
        /// The jobs of the service that it runs.
        public var jobs: [Running]
        /// What kept its handlers from running, newest last: when, what, and the end of their output.
        public var troubles: [Trouble]
    }

    /// A job that a worker runs.
    public struct Running: Sendable, Hashable {
        /// The job.
        public var id: JobID
        /// When it was claimed.
        public var startedAt: Timestamp
    }

    /// A start of a handler that failed, or its end.
    public struct Trouble: Sendable, Hashable {
        /// When, in RFC 3339.
        public var at: String
        /// What happened.
        public var message: String
        /// The last lines that the handler wrote.
        public var output: String
    }

    /// How one stage of a task stands.
    public struct Stage: Sendable {
        /// Its name.
        public var name: String
        /// Its counters.
        public var counters: Run.Stage
        /// How many of its jobs run now.
        public var running: Int
        /// How many of its jobs wait.
        public var waiting: Int
    }

    /// What is explained.
    public var subject: Subject
    /// Its id.
    public var id: MeshID
    /// Where it stands, in the words of its contract.
    public var status: String
    /// Since when.
    public var since: Timestamp
    /// Why, in a word.
    public var cause: Cause
    /// Why, and what to do, in a sentence or two.
    public var sentence: String
    /// The service whose workers it needs now.
    public var service: String?
    /// Its place in the queue, when it waits for a worker.
    public var place: Place?
    /// The workers of its service.
    public var workers: [Worker] = []
    /// The servers that do not answer, and what they say.
    public var faults: [ServerFault] = []
    /// The attempts so far that did not succeed.
    public var attempts: [AttemptRecord] = []
    /// The stages of a task.
    public var stages: [Stage] = []
    /// The job of a task on which it hangs, explained for itself.
    public var jobs: [Explanation] = []

    init(_ subject: Subject, _ id: MeshID, status: String, since: Timestamp, cause: Cause, sentence: String) {
        self.subject = subject
        self.id = id
        self.status = status
        self.since = since
        self.cause = cause
        self.sentence = sentence
    }
}
