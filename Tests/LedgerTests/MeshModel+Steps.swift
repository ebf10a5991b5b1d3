// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension MeshModel {
    static let services = ["alpha", "beta"]
    /// How long a remote worker's lease lasts.
    private static let leaseDuration = Duration.seconds(20)

    /// One random step of someone, with a crash now and then between any two of its parts.
    mutating func step(isAccepting: Bool) throws {
        let api = Int.random(in: 0..<apis.count, using: &generator)
        let worker = Int.random(in: 0..<workers.count, using: &generator)
        switch Int.random(in: 0..<25, using: &generator) {
        case 0, 1: if isAccepting, tasks.count < 7 { try accept(by: api) }
        case 2, 3, 4: handOver(by: api)
        case 5, 6, 7, 8: take(by: worker)
        case 9, 10, 11: runHandler(of: worker)
        case 12, 13: consume(by: api)
        case 14: beat(worker)
        case 15: if !crashes(worker, percent: 20) { revive(worker) }
        case 16: if chance(20) { apis[api] = API() }
        case 17: chance(20) ? drain(worker) : cancelSomething(by: api)
        case 18: reap(by: api)
        case 19: if isAccepting { createDirect(by: api) }
        case 20: retrySomething(by: api)
        case 21, 22: receive(worker)
        default: tick(by: api)
        }
    }

    /// Hands one job over: a ticket, a refusal, or both when the answer got lost.
    private mutating func handOver(by api: Int) {
        guard let job = apis[api].ready.popLast() else { return }
        if !chance(10) { tickets[job.service, default: 0] += chance(10) ? 2 : 1 }
        if chance(10), jobs[job.id]?.job.state == .waiting { jobs[job.id]?.job.runAfter = now + .seconds(1) }
    }

    /// Takes a ticket and claims what is due first; the ticket may come again, the answer may get lost.
    private mutating func take(by index: Int) {
        let service = Self.services[Int.random(in: 0..<Self.services.count, using: &generator)]
        let isRemote = workers[index].isRemote
        guard workers[index].isAlive, workers[index].held.count < 4 else { return }
        guard isRemote || tickets[service, default: 0] > 0 else { return }
        if !isRemote, !chance(10) { tickets[service, default: 0] -= 1 }
        if crashes(index) { return }
        let lease = MeshID(high: 9, low: number())
        guard let first = due(service).first,
            var job = JobRules.apply(.claimed(lease: lease, worker: workers[index].name), to: first, at: now)
        else { return }
        if isRemote { job.leaseUntil = now + Self.leaseDuration }
        jobs[job.id]?.job = job
        if crashes(index) { return }
        workers[index].held.append(Held(job: job, lease: lease))
    }

    private mutating func runHandler(of index: Int) {
        guard let slot = workers[index].held.indices.randomElement(using: &generator) else { return }
        let held = workers[index].held[slot]
        guard held.completion == nil else { return }
        let plan = plan(of: held.job)
        let (job, lease) = (held.job, held.lease)
        let error = JobError(.handler, "said no")
        let settlement: Settlement
        switch plan[min(job.failures + job.deaths, plan.count - 1)] {
        case .success:
            settlement = Settlement(job: job.id, event: .completed(lease: lease), result: Array(result(of: job).utf8))
        case .failure: settlement = Settlement(job: job.id, event: .failed(lease: lease, error))
        case .finalFailure:
            settlement = Settlement(
                job: job.id,
                event: .failed(lease: lease, JobError(.handler, "said no", isFinal: true))
            )
        case .death: settlement = Settlement(job: job.id, event: .handlerDied(lease: lease, error))
        }
        if crashes(index) { return }
        workers[index].held[slot].completion = settlement
        publish(settlement)
        _ = crashes(index)
    }

    /// A message that may get lost, or come twice, at any place of the queue.
    private mutating func publish(_ settlement: Settlement) {
        for _ in 0..<(chance(10) ? 0 : chance(15) ? 2 : 1) {
            completions.insert(settlement, at: Int.random(in: 0...completions.count, using: &generator))
        }
    }

    private mutating func consume(by api: Int) {
        guard !completions.isEmpty else { return }
        let batch = Array(completions.prefix(Int.random(in: 1...6, using: &generator)))
        completions.removeFirst(batch.count)
        let writes = writes(of: batch)
        let announced = chance(80) ? writes.created.filter { $0.job.state == .running } : []
        workAhead(on: announced)
        // A crash before the commit: nothing happened, but jobs may have been announced that are not created. After
        // it: the messages come again, the hand-overs are lost.
        let isLost = chance(10)
        let outcome = isLost ? SettleOutcome() : perform(writes)
        if isLost || chance(10) {
            completions.insert(contentsOf: batch, at: 0)
            apis[api] = API()
            return
        }
        apis[api].ready += outcome.ready
        let known = Set(announced.map(\.job.id))
        for record in outcome.assigned where !known.contains(record.job.id) { send(record.job) }
        if !chance(30) { stop(outcome.cancelled) }
    }

    /// What becomes of jobs that were sent to their workers while the commit that creates them is on its way: they may
    /// run and be answered, or be given up as unknown to the ledger, and an answer to them may be dropped.
    private mutating func workAhead(on announced: [JobRecord]) {
        guard !announced.isEmpty else { return }
        for record in announced { send(record.job) }
        let theirs = Set(announced.compactMap(\.job.worker))
        for _ in 0..<Int.random(in: 0...16, using: &generator) {
            let indices = workers.indices.filter { theirs.contains(workers[$0].name) }
            guard let index = indices.randomElement(using: &generator) else { return }
            switch Int.random(in: 0..<6, using: &generator) {
            case 0, 1, 2: receive(index)
            case 3, 4: runHandler(of: index)
            default: hear(index)
            }
        }
        if chance(30) { completions.removeAll { jobs[$0.job] == nil } }
    }

    /// The hint that stops running handlers at once.
    private mutating func stop(_ cancelled: [Job]) {
        let leases = Set(cancelled.compactMap(\.lease))
        for index in workers.indices { workers[index].held.removeAll { leases.contains($0.lease) } }
    }

    private mutating func beat(_ index: Int) {
        guard workers[index].isAlive else { return }
        hear(index)
        if workers[index].isRemote {
            for held in workers[index].held { jobs[held.job.id]?.job.leaseUntil = now + Self.leaseDuration }
        }
        giveBackStrays(of: index)
    }

    /// A worker gives up what the ledger does not say it holds, and sends again what was not settled.
    private mutating func hear(_ index: Int) {
        guard workers[index].isAlive else { return }
        workers[index].held.removeAll { held in
            guard let job = jobs[held.job.id]?.job else { return true }
            return job.state != .running || job.lease != held.lease
        }
        for settlement in workers[index].held.compactMap(\.completion) { publish(settlement) }
    }

    /// Gives back what the ledger says a worker holds and it never heard of, unless it may be on its way.
    private mutating func giveBackStrays(of index: Int) {
        let (name, held) = (workers[index].name, Set(workers[index].held.map(\.lease)))
        for job in jobs.values.map(\.job).sorted(by: { $0.id < $1.id }) {
            guard job.state == .running, job.worker == name, job.leaseUntil == nil, let lease = job.lease,
                !held.contains(lease), job.startedAt.map({ $0 + .seconds(3) <= now }) ?? true,
                let after = JobRules.apply(.handedBack(lease: lease), to: job, at: now)
            else { continue }
            workers[index].known.insert(lease)
            jobs[job.id]?.job = after
        }
    }

    /// The worker that offers a slot just now, if any; it may have died since.
    mutating func offered() -> String? {
        guard Bool.random(using: &generator) else { return nil }
        return workers.filter { !$0.isRemote }.randomElement(using: &generator)?.name
    }

    /// Sends a job that was created as claimed; it may get lost, or come twice, and late.
    mutating func send(_ job: Job) {
        guard let index = workers.firstIndex(where: { $0.name == job.worker }) else { return }
        for _ in 0..<(chance(20) ? 0 : chance(15) ? 2 : 1) { workers[index].assigned.append(job) }
    }

    /// A worker reads a job that was sent to it.
    private mutating func receive(_ index: Int) {
        guard workers[index].isAlive, let slot = workers[index].assigned.indices.randomElement(using: &generator)
        else { return }
        let job = workers[index].assigned.remove(at: slot)
        guard let lease = job.lease, workers[index].known.insert(lease).inserted else { return }
        if crashes(index) { return }
        workers[index].held.append(Held(job: job, lease: lease))
    }

    /// Kills a worker with all that it holds, now and then; tells whether it did.
    private mutating func crashes(_ index: Int, percent: Int = 5) -> Bool {
        guard workers[index].isAlive, crashesLeft > 0, chance(percent) else { return false }
        crashesLeft -= 1
        workers[index].isAlive = false
        workers[index].held = []
        return true
    }

    /// A worker comes back under a new boot id: none of its old jobs is its own.
    private mutating func revive(_ index: Int) {
        guard !workers[index].isAlive else { return }
        workers[index] = Worker(name: "w\(index)-\(number())", isRemote: workers[index].isRemote)
    }

    private mutating func drain(_ index: Int) {
        for held in workers[index].held where held.completion == nil {
            guard let before = jobs[held.job.id]?.job,
                let job = JobRules.apply(.handedBack(lease: held.lease), to: before, at: now)
            else { continue }
            jobs[job.id]?.job = job
            if !chance(30) { tickets[job.service, default: 0] += 1 }
        }
        workers[index].held.removeAll { $0.completion == nil }
    }

    private mutating func cancelSomething(by api: Int) {
        guard chance(15), let id = tasks.keys.sorted().randomElement(using: &generator) else { return }
        if tasks[id]?.task.state == .running { disturbed.insert(id) }
        let outcome = settle([], tasks: [TaskSettlement(task: id, event: .cancelled)])
        if !chance(30) { stop(outcome.cancelled) }
    }

    /// Requeues the jobs of dead workers; one that is gone counts as long dead at once.
    private mutating func reap(by api: Int) {
        let living = Set(workers.filter(\.isAlive).map(\.name))
        for job in jobs.values.map(\.job).sorted(by: { $0.id < $1.id }) where job.state == .running {
            guard let worker = job.worker, let lease = job.lease,
                job.leaseUntil.map({ $0 <= now }) ?? !living.contains(worker),
                let after = JobRules.apply(.orphaned(lease: lease), to: job, at: now)
            else { continue }
            if after.state.isFinal {
                apis[api].ready += settle([Settlement(job: job.id, event: .orphaned(lease: lease))]).ready
            } else {
                jobs[job.id]?.job = after
            }
        }
    }

    /// A Service API creates a direct job whose caller wants to be told of its end.
    private mutating func createDirect(by api: Int) {
        guard jobs.values.count(where: { $0.job.task == nil }) < 5 else { return }
        var labels = JobLabels()
        labels.webhook = "http://receiver.invalid/"
        let job = Job(
            id: MeshID(high: 8, low: number()),
            service: Self.services[Int.random(in: 0..<Self.services.count, using: &generator)],
            backoff: Backoff(base: .seconds(1), cap: .seconds(4), jitter: 0),
            createdAt: now,
            labels: labels
        )
        jobs[job.id] = JobRecord(job: job, input: Array("{}".utf8))
        apis[api].ready.append(job)
    }

    /// A person retries a job, whatever became of it.
    private mutating func retrySomething(by api: Int) {
        guard chance(40), let id = jobs.keys.sorted().randomElement(using: &generator) else { return }
        let hadEnded = jobs[id]?.job.state.isFinal ?? false
        let outcome = settle([Settlement(job: id, event: .retried)])
        if hadEnded, outcome.verdicts == [.applied(.waiting)] { revivals[id, default: 0] += 1 }
        apis[api].ready += outcome.ready
    }

    /// The timer loop: time passes, jobs become due, deadlines end tasks, missing tickets are published.
    private mutating func tick(by api: Int) {
        now = now + .milliseconds(Int.random(in: 1...1500, using: &generator))
        for (id, record) in jobs where record.job.state == .waiting {
            if let runAfter = record.job.runAfter, runAfter <= now { jobs[id]?.job.runAfter = nil }
        }
        let late = tasks.filter { $0.value.task.state == .running && $0.value.task.deadline <= now }.keys.sorted()
        if !late.isEmpty { _ = settle([], tasks: late.map { TaskSettlement(task: $0, event: .deadlinePassed) }) }
        for service in Self.services {
            tickets[service] = max(tickets[service, default: 0], due(service).count)
        }
    }

    /// Whether nothing is left to do.
    var isAtRest: Bool {
        tasks.values.allSatisfy { $0.task.state != .running } && jobs.values.allSatisfy { $0.job.state.isFinal }
    }
}
