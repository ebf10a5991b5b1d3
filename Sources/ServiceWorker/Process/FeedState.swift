// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

/// Which job runs in which process: every rule of the feed, without I/O and without a clock of its own.
///
/// One queue serves all processes of a service, and a job goes to the process with the fewest jobs among those that
/// ask, so no job waits behind a busy process while another is idle.
struct FeedState: Sendable {
    let capacity: Int
    let batchMaxSize: Int
    let batchMaxWait: Duration
    var jobs: [UInt64: FeedJob] = [:]
    var waiting: [UInt64] = []
    var processes: [String: FeedProcess] = [:]
    private(set) var isDraining = false
    private var next: UInt64 = 0
    private var lookDue: ContinuousClock.Instant?

    /// - Parameter capacity: how many jobs one process may hold.
    init(capacity: Int, batchMaxSize: Int, batchMaxWait: Duration) {
        self.capacity = capacity
        self.batchMaxSize = batchMaxSize
        self.batchMaxWait = batchMaxWait
    }

    // Jobs

    /// Takes a job in; its number, or nil when nothing is taken any more.
    mutating func enqueue(_ job: FeedJob) -> (number: UInt64, effects: [FeedEffect])? {
        guard !isDraining else { return nil }
        next += 1
        jobs[next] = job
        waiting.append(next)
        return (next, deal(.now))
    }

    /// Stops a job: at once while it waits, else its process is asked.
    ///
    /// - Returns: the effects, and whether its process must be killed when the job is still there a while later.
    mutating func stop(_ number: UInt64) -> (effects: [FeedEffect], mustFollow: Bool) {
        guard let job = jobs[number], !job.isStopping else { return ([], false) }
        guard let process = job.process else {
            waiting.removeAll { $0 == number }
            jobs[number] = nil
            return ([.settle(job.answer, .stopped)], false)
        }
        jobs[number]?.isStopping = true
        processes[process]?.toStop.append(job.id)
        return (tellStops(process), true)
    }

    /// The grace of a stopped job is over: its process is condemned when it still runs.
    mutating func stopOverdue(_ number: UInt64) -> [FeedEffect] {
        guard let process = jobs[number]?.process else { return [] }
        return condemn(process, "a stopped job did not end in time")
    }

    /// Takes nothing more; what waits goes back.
    mutating func drain() -> [FeedEffect] {
        isDraining = true
        return handBackWaiting()
    }

    /// A result came in from a process; ignored when the job is not there (any more).
    ///
    /// - Parameter lease: as the handler gave it back; nil when its dialect has none.
    mutating func finish(
        _ id: String,
        lease: String?,
        from process: String,
        _ outcome: HandlerOutcome,
        retire: Bool = false
    ) -> [FeedEffect] {
        var effects: [FeedEffect] = []
        if retire { effects += leave(process, retiring: true) }
        if let number = number(id, lease, process), let job = jobs[number] {
            processes[process]?.running[id] = nil
            processes[process]?.toStop.removeAll { $0 == id }
            if let effect = settle(number, job.isStopping ? .stopped : outcome) { effects.append(effect) }
            if processes[process]?.hasServed == false {
                processes[process]?.hasServed = true
                effects.append(.served(process: process))
            }
        }
        return effects + retireIfIdle(process) + deal(.now)
    }

    /// The job that a process runs under this id; nil when it is not there or was asked to stop.
    func running(_ id: String, lease: String?, in process: String) -> FeedJob? {
        number(id, lease, process).flatMap { jobs[$0] }.flatMap { $0.isStopping ? nil : $0 }
    }

    // Processes

    /// A process has been started.
    mutating func add(_ process: String, token: [UInt8]) {
        processes[process] = FeedProcess(token: token)
    }

    /// A process has ended: what it ran died with it, or goes back when it was killed for another job's sake.
    mutating func remove(_ process: String, _ error: JobError, isOurDoing: Bool) -> [FeedEffect] {
        guard let gone = processes.removeValue(forKey: process) else { return [] }
        var effects = gone.takers.map { FeedEffect.give($0.answer, []) }
        effects += gone.stoppers.map { FeedEffect.stop($0.answer, []) }
        for number in gone.running.values {
            guard let job = jobs[number] else { continue }
            let blamed = gone.blame.map { HandlerOutcome.died(JobError(.handler, $0)) }
            let other = blamed ?? (gone.isCondemned || isOurDoing ? .handedBack : .died(error))
            if let effect = settle(number, job.isStopping ? .stopped : other) { effects.append(effect) }
        }
        // What waits goes back when a start failed and no other process is up: elsewhere it may run.
        return gone.hasAsked || processes.values.contains(where: \.isUp) ? effects : effects + handBackWaiting()
    }

    /// A process must be killed; what else it runs goes back, or counts as dead when they are to `blame`.
    mutating func condemn(_ process: String, _ reason: String, blame: Bool = false) -> [FeedEffect] {
        guard processes[process]?.isCondemned == false else { return [] }
        processes[process]?.isCondemned = true
        if blame { processes[process]?.blame = reason }
        return leave(process) + [.kill(process: process, reason: reason)]
    }

    /// A process gets no more jobs; with `retiring` it is replaced once it has none left.
    mutating func leave(_ process: String, retiring: Bool = false) -> [FeedEffect] {
        guard let known = processes[process] else { return [] }
        processes[process]?.isLeaving = true
        if retiring { processes[process]?.isRetiring = true }
        processes[process]?.takers = []
        processes[process]?.stoppers = []
        // The RunPod package ends only once its open polls have been answered.
        return known.takers.map { .give($0.answer, []) } + known.stoppers.map { .stop($0.answer, known.toStop) }
    }

    // Calls

    /// A call for jobs came in; it is answered through `taker`, perhaps at once.
    mutating func take(_ process: String, _ taker: FeedProcess.Taker) -> [FeedEffect] {
        guard let known = processes[process] else { return [.give(taker.answer, [])] }
        processes[process]?.takers.append(taker)
        guard !known.hasAsked else { return deal(.now) }
        processes[process]?.hasAsked = true
        return [.ready(process: process)] + deal(.now)
    }

    /// A held call is over: its time has come, or its connection has gone.
    mutating func endTake(_ process: String, _ answer: OneShot<[FeedGift]>) -> [FeedEffect] {
        processes[process]?.takers.removeAll { $0.answer === answer }
        return [.give(answer, [])]
    }

    /// A held `job-stop` call came in.
    mutating func awaitStops(_ process: String, _ stopper: FeedProcess.Stopper) -> [FeedEffect] {
        guard processes[process] != nil else { return [.stop(stopper.answer, [])] }
        processes[process]?.stoppers.append(stopper)
        return tellStops(process)
    }

    /// A held `job-stop` call is over.
    mutating func endStops(_ process: String, _ answer: OneShot<[String]>) -> [FeedEffect] {
        processes[process]?.stoppers.removeAll { $0.answer === answer }
        return [.stop(answer, [])]
    }

    /// A connection has gone: the calls held on it are over.
    mutating func connectionEnded(_ connection: ObjectIdentifier) -> [FeedEffect] {
        var effects: [FeedEffect] = []
        for (name, process) in processes {
            for taker in process.takers where taker.connection == connection {
                effects += endTake(name, taker.answer)
            }
            for stopper in process.stoppers where stopper.connection == connection {
                effects += endStops(name, stopper.answer)
            }
        }
        return effects
    }

    /// The stops that an exchange's answer carries along; `job-stop` says them as well.
    func stops(of process: String) -> [String] {
        guard let running = processes[process]?.running else { return [] }
        return running.filter { jobs[$0.value]?.isStopping == true }.map(\.key)
    }

    /// Gives what waits to those that ask.
    mutating func deal(_ now: ContinuousClock.Instant) -> [FeedEffect] {
        var effects: [FeedEffect] = []
        while let first = waiting.first, let oldest = jobs[first]?.since, let name = processes.leastBusyTaker(capacity)
        {
            guard let process = processes[name], let taker = process.takers.first else { break }
            let room = min(taker.max, capacity - process.running.count)
            let until = oldest + batchMaxWait
            if batchMaxSize > 1, waiting.count < min(room, batchMaxSize), until > now {
                if let lookDue, lookDue > now, lookDue <= until { break }
                lookDue = until
                effects.append(.look(at: until))
                break
            }
            let gifts = hand(to: name, atMost: room, now, &effects)
            guard !gifts.isEmpty else { break }
            processes[name]?.takers.removeFirst()
            effects.append(.give(taker.answer, gifts))
        }
        return effects
    }

    // Parts

    private mutating func hand(
        to process: String,
        atMost count: Int,
        _ now: ContinuousClock.Instant,
        _ effects: inout [FeedEffect]
    ) -> [FeedGift] {
        var gifts: [FeedGift] = []
        var left: [UInt64] = []
        var position = 0
        while position < waiting.count, gifts.count < count {
            let number = waiting[position]
            position += 1
            guard let job = jobs[number] else { continue }
            // Another attempt of the same job may still end there: results could not be told apart.
            guard processes[process]?.running[job.id] == nil, mayBegin(number, now, &effects) else {
                left.append(number)
                continue
            }
            processes[process]?.running[job.id] = number
            jobs[number]?.process = process
            jobs[number]?.isDelivered = false
            gifts.append(FeedGift(number: number, body: job.body, permit: job.permit))
        }
        waiting.replaceSubrange(..<position, with: left)
        return gifts
    }

    private func number(_ id: String, _ lease: String?, _ process: String) -> UInt64? {
        guard let number = processes[process]?.running[id], let job = jobs[number] else { return nil }
        return lease == nil || lease == job.lease ? number : nil
    }

    private mutating func handBackWaiting() -> [FeedEffect] {
        defer { waiting = [] }
        return waiting.compactMap { settle($0, .handedBack) }
    }

    mutating func settle(_ number: UInt64, _ outcome: HandlerOutcome) -> FeedEffect? {
        jobs.removeValue(forKey: number).map { .settle($0.answer, outcome) }
    }

    private mutating func retireIfIdle(_ process: String) -> [FeedEffect] {
        guard let known = processes[process], known.isRetiring, known.running.isEmpty else { return [] }
        processes[process]?.isRetiring = false
        return [.retire(process: process)]
    }

    private mutating func tellStops(_ process: String) -> [FeedEffect] {
        guard let known = processes[process], !known.toStop.isEmpty, let stopper = known.stoppers.first else {
            return []
        }
        processes[process]?.stoppers.removeFirst()
        processes[process]?.toStop = []
        return [.stop(stopper.answer, known.toStop)]
    }
}
