// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import Plumbing
import Synchronization
import Workflow

/// The jobs of one service on their way into its processes and their results on the way out.
///
/// ``FeedState`` decides under a lock; what follows is carried out here, after the lock is released.
final class JobFeed: Sendable {
    /// What the processes' supervisor is told.
    enum Notice: Sendable {
        case ready, served, retire
        case kill(String)
    }

    private let state: Mutex<FeedState>
    private let stopGrace: Duration
    private let notify: @Sendable (_ process: String, Notice) -> Void
    private let opened = LateClosure {}

    init(
        capacity: Int,
        batchMaxSize: Int,
        batchMaxWait: Duration,
        stopGrace: Duration,
        notify: @escaping @Sendable (String, Notice) -> Void
    ) {
        state = Mutex(FeedState(capacity: capacity, batchMaxSize: batchMaxSize, batchMaxWait: batchMaxWait))
        self.stopGrace = stopGrace
        self.notify = notify
    }

    // The engine's side

    /// How many jobs the processes run or could be given at once.
    var readySlots: Int { state.withLock { $0.processes.readySlots($0.capacity) } }

    /// Has `opened` called whenever a process is there that can be given jobs.
    func whenOpened(_ opened: @escaping @Sendable () -> Void) {
        self.opened.name(opened)
    }

    /// Runs one attempt; a cancelled caller stops the handler and waits for its end.
    func run(_ work: HandlerWork, context: any HandlerContext) async -> HandlerOutcome {
        let answer = OneShot<HandlerOutcome>()
        let job = FeedJob(work, context: context, answer: answer)
        guard let (number, effects) = state.withLock({ $0.enqueue(job) }) else { return .handedBack }
        perform(effects)
        // A task of its own, which no cancellation reaches: the call returns only when the handler has ended.
        let outcome = Task {
            do {
                return try await answer.value()
            } catch {
                return HandlerOutcome.failed(JobError(.internal, "the wait for the handler broke off: \(error)"))
            }
        }
        return await withTaskCancellationHandler {
            await outcome.value
        } onCancel: {
            self.stop(number)
        }
    }

    /// Takes nothing more; what waits goes back.
    func drain() {
        change { $0.drain() }
    }

    /// A process has been started.
    func add(_ process: String, token: [UInt8]) {
        state.withLock { $0.add(process, token: token) }
    }

    /// A process has ended.
    func remove(_ process: String, _ error: JobError, isOurDoing: Bool) {
        change { $0.remove(process, error, isOurDoing: isOurDoing) }
    }

    /// A process is about to be told to end: it gets no more jobs and its held calls are answered.
    func leave(_ process: String) {
        change { $0.leave(process) }
    }

    /// A process breaks the protocol: it is killed, and its jobs count as dead with it.
    func condemn(_ process: String, _ reason: String) {
        change { $0.condemn(process, reason, blame: true) }
    }

    // The server's side

    /// Whether a token is that of a process; nil when there is no such process.
    func accepts(_ token: [UInt8], of process: String) -> Bool? {
        state.withLock { $0.processes[process]?.token }.map { HandlerToken.areEqual($0, token) }
    }

    /// Whether a token is that of any process.
    func accepts(_ token: [UInt8]) -> Bool {
        let tokens = state.withLock { $0.processes.values.map(\.token) }
        return tokens.reduce(false) { HandlerToken.areEqual($1, token) || $0 }
    }

    /// Waits for up to `max` jobs.
    func take(_ process: String, max: Int, wait: Duration, connection: ObjectIdentifier?) async -> [FeedGift] {
        let answer = OneShot<[FeedGift]>()
        let taker = FeedProcess.Taker(max: max, connection: connection, answer: answer)
        let (effects, isHeld, isLeaving) = state.withLock { state in
            let effects = state.take(process, taker)
            let known = state.processes[process]
            return (effects, known?.takers.contains { $0.answer === answer } ?? false, known?.isLeaving ?? true)
        }
        perform(effects)
        guard isHeld else { return await taken(answer, process) }
        // One on its way out gets nothing; held shortly, it neither spins nor waits long for its own end.
        let hold = isLeaving ? min(wait, .seconds(1)) : wait
        let timer = timer(hold) { self.change { $0.endTake(process, answer) } }
        defer { timer.cancel() }
        return await taken(answer, process)
    }

    private func taken(_ answer: OneShot<[FeedGift]>, _ process: String) async -> [FeedGift] {
        do {
            return try await answer.value()
        } catch {
            change { $0.endTake(process, answer) }
            return []
        }
    }

    /// Waits for jobs that shall stop.
    func awaitStops(_ process: String, wait: Duration, connection: ObjectIdentifier?) async -> [String] {
        let answer = OneShot<[String]>()
        let stopper = FeedProcess.Stopper(connection: connection, answer: answer)
        let (effects, isLeaving) = state.withLock { state in
            (state.awaitStops(process, stopper), state.processes[process]?.isLeaving ?? true)
        }
        perform(effects)
        let timer = timer(isLeaving ? min(wait, .seconds(1)) : wait) { self.change { $0.endStops(process, answer) } }
        defer { timer.cancel() }
        do {
            return try await answer.value()
        } catch {
            change { $0.endStops(process, answer) }
            return []
        }
    }

    /// Says which of a process's jobs shall stop, without waiting.
    func stops(of process: String) -> [String] {
        state.withLock { $0.stops(of: process) }
    }

    /// Takes a result in.
    func finish(_ id: String, lease: String?, from process: String, _ result: HandlerResult) {
        change { $0.finish(id, lease: lease, from: process, result.outcome, retire: result.wantsRestart) }
    }

    /// Passes progress on; ignored when the job has ended or was stopped.
    func progress(_ id: String, lease: String?, from process: String, _ json: [UInt8]) {
        state.withLock { $0.running(id, lease: lease, in: process) }?.context.progress(json)
    }

    /// Passes a part of the output on; ignored when the job has ended or was stopped.
    func partial(_ id: String, from process: String, _ json: [UInt8]) {
        state.withLock { $0.running(id, lease: nil, in: process) }?.context.partial(json)
    }

    /// The process says that it runs nothing.
    func reportIdle(_ process: String) {
        change { $0.reportIdle(process) }
    }

    /// The answer with these jobs has been sent.
    func delivered(_ gifts: [FeedGift]) {
        state.withLock { $0.delivered(gifts) }
    }

    /// The answer with these jobs could not be sent.
    func giveBack(_ gifts: [FeedGift]) {
        change { $0.giveBack(gifts) }
    }

    /// A connection has gone.
    func connectionEnded(_ connection: ObjectIdentifier) {
        change { $0.connectionEnded(connection) }
    }

    // Parts

    private func stop(_ number: UInt64) {
        let (effects, mustFollow) = state.withLock { $0.stop(number) }
        perform(effects)
        if mustFollow { _ = timer(stopGrace) { self.change { $0.stopOverdue(number) } } }
    }

    private func change(_ body: (inout FeedState) -> [FeedEffect]) {
        perform(state.withLock { body(&$0) })
    }

    private func perform(_ effects: [FeedEffect]) {
        for effect in effects {
            switch effect {
            case .give(let answer, let gifts):
                let isTaken = answer.finish(.success(gifts))
                // Whoever waited has left in the same moment.
                if !isTaken, !gifts.isEmpty { giveBack(gifts) }
            case .stop(let answer, let ids): answer.finish(.success(ids))
            case .settle(let answer, let outcome): answer.finish(.success(outcome))
            case .ready(let process):
                notify(process, .ready)
                opened()
            case .served(let process): notify(process, .served)
            case .retire(let process): notify(process, .retire)
            case .kill(let process, let reason): notify(process, .kill(reason))
            case .confirm(let number, let permit):
                Task {
                    let mayBegin = await permit.confirm()
                    change { $0.confirmed(number, mayBegin: mayBegin) }
                }
            case .look(let instant): look(at: instant)
            }
        }
    }

    private func look(at instant: ContinuousClock.Instant) {
        _ = timer(instant - .now) { self.change { $0.deal(.now) } }
    }

    private func timer(_ delay: Duration, _ body: @escaping @Sendable () -> Void) -> Task<Void, Never> {
        Task {
            do {
                try await Task.sleep(for: delay)
            } catch {
                return  // no longer needed
            }
            body()
        }
    }
}
