// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

/// A ledger under test with an app of four workflows, and short words for what cases do with it.
public struct LedgerFixture: Sendable {
    /// The ledger.
    public let ledger: any Ledger
    /// Two stages in a row, `first` (service `alpha`) and `second` (service `beta`); the output is `second`'s.
    public let chain: WorkflowDefinition
    /// The same stages as ``chain``; the output is both stages', `{first, second}`.
    public let relay: WorkflowDefinition
    /// `items`, a fan-out over 0..<n that all must succeed, then the output `{items}`.
    public let fanAll: WorkflowDefinition
    /// `items`, a fan-out over 0..<n of which one must succeed, then the output `{items, errors}`.
    public let fanSome: WorkflowDefinition
    /// What runs ask for.
    public let finishing = LedgerRunFinishing()

    private let advanceClock: LedgerContract.AdvanceClock?

    /// The app's name.
    public static let app = "contract"

    /// Makes a fixture and stores its definitions.
    public init(ledger: any Ledger, advanceClock: LedgerContract.AdvanceClock?) async throws {
        self.ledger = ledger
        self.advanceClock = advanceClock
        let definitions = try LedgerWorkflows.all()
        chain = definitions.chain
        relay = definitions.relay
        fanAll = definitions.fanAll
        fanSome = definitions.fanSome
        try await ledger.store(definitions: [chain, relay, fanAll, fanSome])
    }

    /// Lets time pass for the ledger.
    public func pass(_ duration: Duration) async throws {
        if let advanceClock {
            try await advanceClock(duration)
        } else {
            try await Task.sleep(for: duration)
        }
    }

    // MARK: Tasks

    /// Makes a request whose run has made its first step.
    public func request(
        _ definition: WorkflowDefinition,
        payload: String = "{\"n\":3}",
        user: String = "ada",
        request: String = MeshID().description,
        fingerprint: [UInt8] = [1],
        deadline: Duration = .seconds(3600),
        worker: String? = nil
    ) -> NewTask {
        let finishing = LedgerRunFinishing(worker: worker)
        let now = Timestamp.now
        var task = TaskRecord(
            id: MeshID(at: now),
            app: definition.app,
            method: definition.method,
            user: user,
            role: "user",
            request: request,
            fingerprint: fingerprint,
            trace: "00-trace-01",
            callbackURL: nil,
            payload: Array(payload.utf8),
            definition: definition.hash,
            createdAt: now,
            deadline: now + deadline
        )
        let (run, effects) = RunEngine(definition: definition).start(payload: task.payload, at: now)
        var jobs: [JobRecord] = []
        var callbacks: [CallbackRecord] = []
        for effect in effects {
            switch effect {
            case .create(let stage, let seeds):
                for seed in seeds {
                    let job = finishing.job(
                        from: seed,
                        stage: definition.stages[stage],
                        index: stage,
                        task: task,
                        at: now
                    )
                    jobs.append(JobRecord(job: job, input: seed.input))
                }
            case .finish(let result):
                task.state = run.state
                task.finishedAt = now
                switch result {
                case .succeeded(let output): task.output = output
                case .failed(let error, let stage): (task.error, task.failedStage) = (error, stage)
                case .cancelled, .timedOut: break
                }
                callbacks = finishing.callbacks(for: task, definition: definition, at: now)
            case .cancelJobs: break
            }
        }
        return NewTask(task: task, run: run, jobs: jobs, callbacks: callbacks)
    }

    /// Accepts one request and returns its task's id.
    public func accept(_ definition: WorkflowDefinition, payload: String = "{\"n\":3}") async throws -> TaskID {
        let request = request(definition, payload: payload)
        try requireEqual(try await ledger.accept([request]), [.created], "acceptance")
        return request.task.id
    }

    /// The task as it stands.
    public func view(_ task: TaskID) async throws -> TaskView {
        try unwrap(try await ledger.task(task), "task \(task)")
    }

    // MARK: Jobs

    /// Creates direct jobs of a service; `edit` gets each with its index.
    @discardableResult
    public func create(
        _ count: Int = 1,
        service: String = "alpha",
        edit: (inout Job, Int) -> Void = { _, _ in }
    ) async throws -> [Job] {
        let now = Timestamp.now
        let jobs = (0..<count).map { index in
            var job = Job(id: MeshID(at: now), service: service, createdAt: now)
            edit(&job, index)
            return job
        }
        try await ledger.create(jobs.map { JobRecord(job: $0, input: Array("{}".utf8)) })
        return jobs
    }

    /// Creates direct jobs that carry labels; `edit` gets each job's with its index.
    @discardableResult
    public func create(
        _ count: Int = 1,
        service: String = "alpha",
        labels edit: (inout JobLabels, Int) -> Void
    ) async throws -> [Job] {
        try await create(count, service: service) { job, index in
            var labels = JobLabels()
            edit(&labels, index)
            job.labels = labels
        }
    }

    /// The jobs that a query finds; one that `edit` leaves alone finds all.
    public func jobs(limit: Int = 100, _ edit: (inout JobQuery) -> Void = { _ in }) async throws -> [Job] {
        var query = JobQuery(limit: limit)
        edit(&query)
        return try await ledger.jobs(query)
    }

    /// Claims up to `count` jobs for a worker that beats.
    public func claim(
        _ count: Int = 1,
        service: String = "alpha",
        worker: String = "w1"
    ) async throws -> [(job: Job, lease: LeaseID)] {
        try await beat(worker)
        let records = try await ledger.claim(
            service: service,
            worker: worker,
            leases: (0..<count).map { _ in MeshID() }
        )
        return try records.map { ($0.job, try unwrap($0.job.lease, "the lease of a claimed job")) }
    }

    /// Claims exactly one job.
    public func claimOne(service: String = "alpha", worker: String = "w1") async throws -> (job: Job, lease: LeaseID) {
        try unwrap(try await claim(service: service, worker: worker).first, "a job to claim")
    }

    /// Beats for a worker.
    @discardableResult
    public func beat(_ worker: String, leases: [LeaseProbe] = []) async throws -> [LeaseProbe.Standing] {
        try await ledger.beat(
            WorkerBeat(
                worker: worker,
                name: worker,
                services: ["alpha", "beta"],
                slots: 4,
                running: leases.count,
                isDraining: false
            ),
            leases: leases
        )
    }

    /// One job's row.
    public func job(_ id: JobID) async throws -> Job {
        try unwrap(try await ledger.job(id), "job \(id)").job
    }

    // MARK: Settling

    /// Settles job events.
    @discardableResult
    public func settle(_ settlements: Settlement...) async throws -> SettleOutcome {
        try await ledger.settle(settlements, tasks: [], finishing: finishing)
    }

    /// Settles job events.
    @discardableResult
    public func settle(all settlements: [Settlement]) async throws -> SettleOutcome {
        try await ledger.settle(settlements, tasks: [], finishing: finishing)
    }

    /// Settles what happened to a task.
    @discardableResult
    public func settle(task: TaskID, _ event: RunEvent) async throws -> SettleOutcome {
        try await ledger.settle([], tasks: [TaskSettlement(task: task, event: event)], finishing: finishing)
    }

    /// Runs whatever is due of a service until nothing is; each job's end is what `answer` says.
    public func work(
        _ service: String,
        batch: Int = 200,
        answer: (Job) -> Result<String, JobError>
    ) async throws -> [SettleOutcome] {
        var outcomes: [SettleOutcome] = []
        while true {
            let claimed = try await claim(batch, service: service)
            if claimed.isEmpty { return outcomes }
            outcomes.append(
                try await settle(
                    all: claimed.map { job, lease in
                        switch answer(job) {
                        case .success(let result): .completion(job.id, lease, result)
                        case .failure(let error): Settlement(job: job.id, event: .failed(lease: lease, error))
                        }
                    }
                )
            )
        }
    }
}

extension Settlement {
    /// A completion with a result given as text.
    public static func completion(_ job: JobID, _ lease: LeaseID, _ result: String = "{}") -> Settlement {
        Settlement(job: job, event: .completed(lease: lease), result: Array(result.utf8))
    }
}
