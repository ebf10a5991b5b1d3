// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The thread behind a ``LoopThread``: its inbox of jobs, its wake pipe and its turns.
///
/// `@unchecked Sendable`: `inbox` is a mutex, the pipe's descriptors and `thread` are written before the thread's
/// first job can run, and `source` is touched on the loop thread alone.
final class LoopCore: @unchecked Sendable {
    private struct Inbox {
        var jobs: [UnownedJob] = []
        /// Keeps the executor alive until the jobs that were pushed through it have run.
        var executor: LoopThread?
        var isAsleep = false
        /// Somebody left work for the source: no sleep before another turn.
        var isTurnWanted = false
        var isStopped = false
    }

    /// How many times jobs are taken in one turn.
    private let maxPasses = 8
    private let inbox = Mutex(Inbox())
    private let wakeRead: CInt
    private let wakeWrite: CInt
    private nonisolated(unsafe) var thread = pthread_t()
    weak var source: (any LoopSource)?

    init() {
        var ends: [CInt] = [-1, -1]
        // Without a pipe there is no loop: the process is out of descriptors and can't serve anything.
        precondition(pipe(&ends) == 0, "no descriptor is left for a loop's wake pipe (ulimit -n)")
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
    }

    deinit {
        close(wakeRead)
        close(wakeWrite)
    }

    var isCurrentThread: Bool { pthread_equal(pthread_self(), thread) != 0 }

    func start(name: String) {
        let context = Unmanaged.passRetained(LoopEntry(core: self, name: name))
        var created = pthread_t()
        let code = pthread_create(&created, nil, loopThreadMain, context.toOpaque())
        precondition(code == 0, "no thread could be started for a connection (ulimit -u)")
        pthread_detach(created)
    }

    func push(_ job: UnownedJob, keeping executor: LoopThread) {
        let mustWake = inbox.withLock { inbox in
            inbox.jobs.append(job)
            if inbox.executor == nil { inbox.executor = executor }
            defer { inbox.isAsleep = false }
            return inbox.isAsleep
        }
        if mustWake { wake() }
    }

    func requestTurn() {
        let mustWake = inbox.withLock { inbox in
            inbox.isTurnWanted = true
            defer { inbox.isAsleep = false }
            return inbox.isAsleep
        }
        if mustWake { wake() }
    }

    func stop() {
        inbox.withLock { $0.isStopped = true }
        wake()
    }

    private func wake() {
        // A full pipe means that a wake-up is already on its way.
        var byte: UInt8 = 1
        _ = write(wakeWrite, &byte, 1)
    }

    /// Runs turns until the executor is gone; the body of the thread.
    func run() {
        thread = pthread_self()
        while runTurn() {}
    }

    private func runTurn() -> Bool {
        var (jobs, executor) = takeJobs()
        // Jobs often leave further jobs, which join this turn; with a limit, or a flood of them would starve the socket.
        for _ in 0..<maxPasses where !jobs.isEmpty {
            if let executor {
                let unowned = executor.asUnownedSerialExecutor()
                for job in jobs { job.runSynchronously(on: unowned) }
            }
            executor = nil
            (jobs, executor) = takeJobs()
        }
        if !jobs.isEmpty { putBack(jobs, executor) }
        executor = nil
        let source = self.source
        let wait = source?.turn() ?? LoopWait()
        guard mayProceedToSleep(wait) else { return !isFinished }
        if let source { source.sleep(wait, wake: wakeRead) } else { wait.poll(wake: wakeRead) }
        drainWakePipe()
        return true
    }

    private func takeJobs() -> ([UnownedJob], LoopThread?) {
        inbox.withLock { inbox in
            let taken = (inbox.jobs, inbox.executor)
            inbox.jobs = []
            inbox.executor = nil
            inbox.isAsleep = false
            inbox.isTurnWanted = false
            return taken
        }
    }

    private func putBack(_ jobs: [UnownedJob], _ executor: LoopThread?) {
        inbox.withLock { inbox in
            inbox.jobs = jobs + inbox.jobs
            inbox.executor = executor ?? inbox.executor
        }
    }

    /// Marks the loop asleep unless jobs came in meanwhile, another turn is wanted at once, or it has been stopped.
    private func mayProceedToSleep(_ wait: LoopWait) -> Bool {
        inbox.withLock { inbox in
            guard inbox.jobs.isEmpty, !inbox.isTurnWanted, !inbox.isStopped, wait.timeoutMilliseconds != 0 else {
                return false
            }
            inbox.isAsleep = true
            return true
        }
    }

    private var isFinished: Bool {
        inbox.withLock { $0.isStopped && $0.jobs.isEmpty }
    }

    private func drainWakePipe() {
        var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        _ = withUnsafeMutableBytes(of: &bytes) { read(wakeRead, $0.baseAddress, $0.count) }
    }
}

/// What a new loop thread is started with.
private final class LoopEntry: Sendable {
    let core: LoopCore
    let name: String

    init(core: LoopCore, name: String) {
        self.core = core
        self.name = name
    }
}

private func loopThreadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let entry = Unmanaged<LoopEntry>.fromOpaque(context).takeRetainedValue()
    nameThread(entry.name)
    entry.core.run()
    return nil
}

/// Names the calling thread for `ps -L` and debuggers; `pthread_setname_np` is a GNU extension that Swift can't see.
private func nameThread(_ name: String) {
    let descriptor = open("/proc/thread-self/comm", O_WRONLY)
    guard descriptor >= 0 else { return }
    var text = Array(name.utf8.prefix(15))
    _ = write(descriptor, &text, text.count)
    close(descriptor)
}
