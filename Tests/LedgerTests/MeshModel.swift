// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import Workflow

/// What a handler does, one entry per time it fails or dies; then it succeeds.
enum HandlerAnswer { case failure, finalFailure, death, success }

/// Ids that a task, a stage and an item determine, so that a seed repeats a run exactly.
struct ModelFinishing: RunFinishing {
    /// The worker that new jobs are created as claimed by, some of them; nil for none.
    var worker: String?
    /// What tells the leases of this transaction from those of others.
    var transaction: UInt64 = 0

    func job(from seed: JobSeed, stage: StageDefinition, index: Int, task: TaskRecord, at now: Timestamp) -> Job {
        var job = LedgerRunFinishing().job(from: seed, stage: stage, index: index, task: task, at: now)
        job.id = MeshID(
            high: task.id.high,
            low: task.id.low << 20 | UInt64(index) << 16 | UInt64((seed.item ?? -1) + 1)
        )
        job.backoff.jitter = 0
        guard let worker, job.id.low % 3 != 0 else { return job }
        let lease = MeshID(high: 10 + transaction, low: job.id.low)
        return JobRules.apply(.claimed(lease: lease, worker: worker), to: job, at: now) ?? job
    }

    func callbacks(for task: TaskRecord, definition: WorkflowDefinition?, at now: Timestamp) -> [CallbackRecord] {
        LedgerRunFinishing().callbacks(for: task, definition: definition, at: now)
    }

    func callbacks(for ended: JobRecord, at now: Timestamp) -> [CallbackRecord] {
        LedgerRunFinishing().callbacks(for: ended, at: now)
    }
}

/// The mesh without I/O: a ledger in dictionaries, queues that lose and repeat, App APIs and workers that crash.
///
/// Its ledger follows ``JobRules`` and ``Settling``, as the real ones do; everything else is what design.md says.
struct MeshModel {
    struct Held {
        var job: Job
        var lease: LeaseID
        /// What the handler said; sent again until the ledger has settled it.
        var completion: Settlement?
    }

    struct Worker {
        var name: String
        var isAlive = true
        /// Whether it takes jobs by asking, holds them by time, and never beats.
        var isRemote = false
        var held: [Held] = []
        /// Jobs that are on their way to it.
        var assigned: [Job] = []
        /// The leases that came, and those that were given back because they had not.
        var known: Set<LeaseID> = []
    }

    struct API {
        /// Jobs to be handed over: in memory only, lost with the process.
        var ready: [Job] = []
    }

    let definitions: [WorkflowDefinition]
    private let byHash: [String: WorkflowDefinition]
    var generator: SeededGenerator
    var now = Timestamp(microseconds: 1_800_000_000_000_000)
    var jobs: [JobID: JobRecord] = [:]
    var tasks: [TaskID: (task: TaskRecord, run: Run)] = [:]
    /// By task, and by direct job.
    var callbacks: [MeshID: Int] = [:]
    /// How often each direct job that had failed was retried.
    var revivals: [JobID: Int] = [:]
    /// Tasks that someone asked to cancel, or whose deadline is soon.
    var disturbed: Set<TaskID> = []
    var tickets: [String: Int] = [:]
    var completions: [Settlement] = []
    var apis = [API(), API()]
    var workers: [Worker] = []
    var crashesLeft = 8
    var faults = true
    var nextNumber: UInt64 = 1

    init(seed: UInt64, definitions: [WorkflowDefinition]) {
        self.definitions = definitions
        byHash = Dictionary(uniqueKeysWithValues: definitions.map { ($0.hash, $0) })
        generator = SeededGenerator(seed: seed)
        workers = (0..<3).map { Worker(name: "w\($0)") } + [Worker(name: "remote", isRemote: true)]
    }

    mutating func number() -> UInt64 {
        nextNumber += 1
        return nextNumber
    }

    mutating func chance(_ percent: Int) -> Bool { faults && Int.random(in: 0..<100, using: &generator) < percent }

    // MARK: The handlers' answers

    func plan(of job: Job) -> [HandlerAnswer] {
        var generator = SeededGenerator(
            seed: (job.task ?? job.id).low &* 31 &+ UInt64(job.stage ?? 0) &* 7 &+ UInt64((job.item ?? -1) + 1)
        )
        switch Int.random(in: 0..<12, using: &generator) {
        case 0: return [.failure, .success]
        case 1: return [.death, .success]
        case 2: return [.death, .failure, .success]
        case 3: return [.finalFailure]
        case 4: return [.failure, .failure, .failure, .failure]
        case 5: return [.death, .death]
        default: return [.success]
        }
    }

    func result(of job: Job) -> String { "\((job.stage ?? 0) * 100 + (job.item ?? 0))" }

    /// Whether a job's answers come to a success when nothing else disturbs it.
    func succeeds(_ job: Job) -> Bool {
        var (failures, deaths) = (0, 0)
        for answer in plan(of: job) {
            switch answer {
            case .success: return true
            case .finalFailure: return false
            case .failure: failures += 1
            case .death: deaths += 1
            }
            if failures >= job.maxAttempts || deaths >= JobRules.poisonDeaths { return false }
        }
        return false
    }

    // MARK: The ledger

    mutating func accept(by api: Int) throws {
        let definition = definitions[Int.random(in: 0..<definitions.count, using: &generator)]
        let count = Int.random(in: 0..<5, using: &generator)
        let id = MeshID(high: 7, low: number())
        let isShort = chance(5)
        var task = TaskRecord(
            id: id,
            app: definition.app,
            method: definition.method,
            user: "u",
            role: "user",
            request: "\(id)",
            fingerprint: [],
            trace: nil,
            callbackURL: nil,
            payload: Array("{\"n\":\(count)}".utf8),
            definition: definition.hash,
            createdAt: now,
            deadline: now + (isShort ? .seconds(3) : .seconds(1_000_000))
        )
        if isShort { disturbed.insert(id) }
        let (run, effects) = RunEngine(definition: definition).start(payload: task.payload, at: now)
        let finishing = ModelFinishing(worker: offered(), transaction: number())
        for effect in effects {
            switch effect {
            case .create(let index, let seeds):
                for seed in seeds {
                    let job = finishing.job(
                        from: seed,
                        stage: definition.stages[index],
                        index: index,
                        task: task,
                        at: now
                    )
                    jobs[job.id] = JobRecord(job: job, input: seed.input)
                    if job.state == .running { send(job) } else { apis[api].ready.append(job) }
                }
            case .finish(let result):
                task.state = run.state
                task.finishedAt = now
                if case .succeeded(let output) = result { task.output = output }
                callbacks[id, default: 0] += 1
            case .cancelJobs: break
            }
        }
        tasks[id] = (task, run)
    }

    mutating func settle(_ settlements: [Settlement], tasks events: [TaskSettlement] = []) -> SettleOutcome {
        perform(writes(of: settlements, tasks: events))
    }

    /// What a transaction would write.
    mutating func writes(of settlements: [Settlement], tasks events: [TaskSettlement] = []) -> SettleWrites {
        var rows = SettleRows(now: now)
        for settlement in settlements { rows.jobs[settlement.job] = jobs[settlement.job]?.job }
        let ids = Set(rows.jobs.values.compactMap(\.task) + events.map(\.task))
        rows.runs = tasks.filter { ids.contains($0.key) }
        var settling = Settling(
            settlements: settlements,
            tasks: events,
            finishing: ModelFinishing(worker: offered(), transaction: number()),
            rows: rows,
            definitions: byHash
        )
        while true {
            switch settling.next() {
            case .needs(let needs):
                settling.supply(definitions: [:], for: needs.definitions)
                for id in needs.inputs { settling.supply(inputs: [id: jobs[id]?.input ?? []]) }
                for (task, stage) in needs.outputs {
                    settling.supply(output: output(task, stage), task: task, stage: stage)
                }
            case .write(let writes): return writes
            }
        }
    }

    private func output(_ task: TaskID, _ stage: Int) -> StageOutput {
        let ended = jobs.values.filter { $0.job.task == task && $0.job.stage == stage && $0.job.state.isFinal }
        return StageOutput(
            entries: ended.compactMap { record in
                if let result = record.result { return .init(item: record.job.item, outcome: .success(result)) }
                guard record.job.state != .cancelled, let error = record.job.error else { return nil }
                return .init(item: record.job.item, outcome: .failure(error))
            }
        )
    }

    /// Commits what a transaction writes.
    mutating func perform(_ writes: SettleWrites) -> SettleOutcome {
        var outcome = writes.outcome
        for update in writes.jobs {
            jobs[update.job.id]?.job = update.job
            if let result = update.result { jobs[update.job.id]?.result = result }
        }
        for record in writes.created { jobs[record.job.id] = record }
        for cancellation in writes.cancellations {
            for (id, record) in jobs where record.job.task == cancellation.task {
                guard cancellation.stage == nil || cancellation.stage == record.job.stage,
                    let job = JobRules.apply(.cancelled, to: record.job, at: now)
                else { continue }
                if record.job.state == .running { outcome.cancelled.append(job) }
                jobs[id]?.job = job
            }
        }
        for (id, run) in writes.runs { tasks[id]?.run = run }
        for task in writes.finished { tasks[task.id]?.task = task }
        for callback in writes.callbacks { callbacks[callback.task, default: 0] += 1 }
        return outcome
    }

    /// Jobs in the order in which claims find them.
    func due(_ service: String) -> [Job] {
        jobs.values.map(\.job).filter { $0.service == service && $0.state == .waiting && $0.runAfter == nil }
            .sorted { ($0.rank, $0.id) < ($1.rank, $1.id) }
    }
}
