// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// One attempt of a job, as an engine is given it.
public struct HandlerWork: Sendable {
    /// The job as it was claimed: `id`, `lease`, `attempt`, `deadline`, `trace`.
    public var job: Job
    /// The job's input as JSON text.
    public var input: [UInt8]
    /// The service it runs for.
    public var service: String
    /// The W3C `traceparent` that the handler should carry on.
    public var trace: String?
    /// Whether its handler may begin; asked right before, by engines in which work waits.
    public var permit: BeginPermit

    /// Makes one.
    public init(job: Job, input: [UInt8], service: String, trace: String? = nil, permit: BeginPermit = .always) {
        self.job = job
        self.permit = permit
        self.input = input
        self.service = service
        self.trace = trace ?? job.trace
    }
}

/// How one attempt ended.
public enum HandlerOutcome: Sendable, Hashable {
    /// The handler returned this JSON text.
    case succeeded([UInt8])
    /// The handler failed, or what it returned is no result.
    case failed(JobError)
    /// The handler's process died under the job.
    case died(JobError)
    /// It was not run, or not to its end, by no fault of its own: no slot, drain, no process starts, that of a
    /// neighbour was killed. The job goes back to the queue and loses no attempt.
    case handedBack
    /// The handler was stopped because the task that ran it was cancelled.
    case stopped
}

/// What a handler can tell while it runs; every call returns at once.
public protocol HandlerContext: Sendable {
    /// Says how far the handler is, as JSON text.
    func progress(_ json: [UInt8])

    /// Passes on a part of the output, as JSON text.
    func partial(_ json: [UInt8])

    /// Passes on a line for a person.
    func log(_ line: String)

    /// Says what was used; what is told several times is added up.
    func usage(_ usage: JobUsage)
}

extension HandlerContext {
    /// Drops the line: for whoever does not listen.
    public func log(_ line: String) {}

    /// Drops what was used: for whoever does not count.
    public func usage(_ usage: JobUsage) {}
}

/// Runs the handler of one service.
public protocol Engine: Sendable {
    /// How many jobs run at once at most, over all processes. Fixed once the engine is made.
    var slots: Int { get }

    /// How many slots run a job or could run one at once, at most ``slots``: only for these are jobs claimed.
    ///
    /// What a handler that is still to start would wait for is better off in the queue, where its time limit does not
    /// run and another worker can take it.
    var readySlots: Int { get }

    /// Has `opened` called whenever ``readySlots`` has grown; said once, before ``start()``.
    func whenOpened(_ opened: @escaping @Sendable () -> Void)

    /// Makes the engine ready. It returns soon; handlers may still be starting, work waits for them.
    func start() async

    /// Runs one attempt to its end.
    ///
    /// Cancelling the calling task stops the handler: it is asked first, and killed after 0.5 s. The outcome is
    /// `stopped` then, and the call returns only when the handler no longer runs (or can't be stopped, native code).
    func run(_ work: HandlerWork, context: any HandlerContext) async -> HandlerOutcome

    /// Takes no new work: work that waits for a handler ends as `handedBack`; what runs goes on. Returns at once.
    func drain() async

    /// Ends every handler, by force where needed, and returns when none is left. What still ran is `handedBack`.
    func stop() async

    /// What keeps handlers from running, newest last; empty when all is well.
    var trouble: [EngineTrouble] { get async }
}

extension Engine {
    /// All of them: for engines that have nothing to start.
    public var readySlots: Int { slots }

    /// Nothing: the slots were ready all the time.
    public func whenOpened(_ opened: @escaping @Sendable () -> Void) {}
}

/// Why a handler could not start or ended, for whoever asks.
public struct EngineTrouble: Sendable, Hashable {
    /// When it happened.
    public var at: Timestamp
    /// What happened, for a person.
    public var message: String
    /// The last lines that the handler wrote, empty when there were none.
    public var output: String

    /// Makes one.
    public init(at: Timestamp, message: String, output: String) {
        self.at = at
        self.message = message
        self.output = output
    }
}
