// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A serial executor that is one operating-system thread with an event loop.
///
/// C clients block and are not thread-safe, so each connection is an actor on a `LoopThread`: the thread runs
/// the actor's queued jobs, lets the attached ``LoopSource`` flush and read, and then sleeps in `poll` until its
/// socket or a new job wakes it. No blocking call ever reaches the cooperative pool, and the compiler checks the
/// isolation. The thread ends when the last reference to the executor is gone.
public final class LoopThread: SerialExecutor {
    private let core: LoopCore

    /// Starts the thread.
    ///
    /// - Parameter name: shown by `ps -L` and debuggers; Linux keeps its first 15 bytes.
    public init(name: String) {
        core = LoopCore()
        core.start(name: name)
    }

    deinit {
        core.stop()
    }

    /// Queues a job of the actor; called by the Swift runtime.
    public func enqueue(_ job: consuming ExecutorJob) {
        core.push(UnownedJob(job), keeping: self)
    }

    /// Hands the runtime an unowned reference; called by `unownedExecutor` of the actor.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    /// Stops the program when the caller is on another thread (SE-0424); `assumeIsolated` relies on it.
    public func checkIsolated() {
        precondition(core.isCurrentThread, "this call belongs on the connection's own loop thread")
    }

    /// Tells whether the caller runs on this thread (SE-0471).
    public func isIsolatingCurrentContext() -> Bool? {
        core.isCurrentThread
    }

    /// Makes `source` take part in every turn of the loop from now on; held weakly, but kept while the loop sleeps.
    ///
    /// Call it from code that is isolated to this executor, and ``detach()`` when the source has no more to do:
    /// a loop that sleeps for ever with a source keeps both alive.
    public func attach(_ source: any LoopSource) {
        checkIsolated()
        core.source = source
    }

    /// Ends the part of the source in the loop's turns; call it from code that is isolated to this executor.
    public func detach() {
        checkIsolated()
        core.source = nil
    }

    /// Makes the loop take a turn soon, from any thread, and much cheaper than a job.
    ///
    /// What the caller wrote (under a lock of its own) before the call is seen by that turn.
    public func wake() {
        core.requestTurn()
    }
}
