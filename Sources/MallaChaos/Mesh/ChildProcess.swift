// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A program that runs beside the harness, in a session of its own, with exactly the environment it is given.
///
/// Foundation's `Process` would wait for servers that a script leaves running, as they inherit its socket.
final class ChildProcess: Sendable {
    /// Waits for the end on a thread of its own.
    private actor Reaper {
        nonisolated let loop = LoopThread(name: "reaper")
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

        /// Waits without taking the end, so that the pid stays the child's until `take` says so.
        func wait(_ pid: pid_t, then take: @Sendable () -> CInt) -> CInt {
            var info = siginfo_t()
            while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
            return take()
        }
    }

    let pid: pid_t
    private let isOver: Gate
    private let ending: Task<CInt, Never>

    /// Guards signals against a pid that was reaped and given to another process.
    private final class Gate: Sendable {
        let isReaped = Mutex(false)
    }

    /// Starts `words[0]`; what it writes is appended to the file `log`, what it reads comes from the file `input`.
    init(
        _ words: [String],
        environment: [String: String],
        log: String,
        errors: String? = nil,
        input: String = "/dev/null"
    ) throws {
        var attributes = posix_spawnattr_t()
        var actions = posix_spawn_file_actions_t()
        posix_spawnattr_init(&attributes)
        posix_spawn_file_actions_init(&actions)
        defer {
            posix_spawnattr_destroy(&attributes)
            posix_spawn_file_actions_destroy(&actions)
        }
        SpawnSettings.setFresh(&attributes)
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        if let errors {
            posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        } else {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        // The harness's own files and sockets are none of the child's, whose leaks are looked for.
        SpawnSettings.closeDescriptors(&actions, from: 3)
        var arguments = words.map { strdup($0) } + [nil]
        var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid = pid_t()
        let code = posix_spawnp(&pid, words[0], &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw MeshFailure("\(words[0]): \(String(cString: strerror(code)))") }
        let (gate, started) = (Gate(), pid)
        self.pid = pid
        isOver = gate
        ending = Task {
            await Reaper().wait(started) {
                gate.isReaped.withLock { isReaped in
                    var status: CInt = -1
                    while waitpid(started, &status, 0) == -1, errno == EINTR {}
                    isReaped = true
                    return status
                }
            }
        }
    }

    /// Whether it has not ended yet.
    var isRunning: Bool { isOver.isReaped.withLock { !$0 } && ProcessTable.state(of: pid).map { $0 != "Z" } ?? false }

    /// Its wait status, once it has ended.
    var end: CInt { get async { await ending.value } }

    /// Sends a signal to the process alone.
    ///
    /// - Returns: whether it was there to get it.
    @discardableResult
    func signal(_ number: CInt) -> Bool {
        isOver.isReaped.withLock { !$0 && kill(pid, number) == 0 }
    }

    /// Ends it with all of its group.
    func killGroup() async {
        _ = isOver.isReaped.withLock { !$0 && kill(-pid, SIGKILL) == 0 }
        _ = await end
    }

    /// Waits for its end, at most so long.
    ///
    /// - Returns: whether it has ended.
    func ends(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while isRunning {
            guard ContinuousClock.now < deadline else { return false }
            // Cancelled or not, the end is waited for: who asks has sent the signal.
            await pause(.milliseconds(50))
        }
        _ = await end
        return true
    }

    /// Runs a program to its end.
    ///
    /// - Returns: what it wrote to its standard output.
    /// - Throws: ``MeshFailure`` with what it wrote when it fails.
    static func run(
        _ words: [String],
        environment: [String: String],
        folder: String,
        input: String = ""
    ) async throws -> String {
        let base = "\(folder)/run-\(MeshID())"
        defer { for suffix in [".in", ".out", ".err"] { unlink(base + suffix) } }
        try TextFile.write(input, to: base + ".in")
        let child = try ChildProcess(
            words,
            environment: environment,
            log: base + ".out",
            errors: base + ".err",
            input: base + ".in"
        )
        let status = await child.end
        let output = TextFile.read(base + ".out") ?? ""
        guard status == 0 else {
            let errors = TextFile.read(base + ".err") ?? ""
            let command = words.joined(separator: " ").prefix(300)
            throw MeshFailure("\(command): status \(status): \((errors + output).suffix(2000))")
        }
        return output
    }
}

/// Waits, also in a task that was cancelled.
func pause(_ duration: Duration) async {
    await Task { try? await Task.sleep(for: duration) }.value
}
