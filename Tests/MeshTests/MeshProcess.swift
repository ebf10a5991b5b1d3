// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A program that runs beside the test, in a process group of its own, with exactly the environment it is given.
///
/// Foundation's `Process` would wait for servers that a script leaves running, as they inherit its socket.
final class MeshProcess: Sendable {
    /// Why a program could not be started.
    struct SpawnFailure: Error, CustomStringConvertible {
        let description: String
    }

    /// Waits for the end on a thread of its own.
    private actor Reaper {
        nonisolated let loop = LoopThread(name: "reaper")
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

        func wait(_ pid: pid_t) -> CInt {
            var status: CInt = -1
            while waitpid(pid, &status, 0) == -1, errno == EINTR {}
            return status
        }
    }

    let pid: pid_t
    /// The file with all that it wrote.
    let log: String
    private let end: Task<CInt, Never>

    /// Starts `words[0]`; what it writes is appended to the file `log`.
    init(_ words: [String], environment: [String: String], log: String) throws {
        var attributes = posix_spawnattr_t()
        var actions = posix_spawn_file_actions_t()
        posix_spawnattr_init(&attributes)
        posix_spawn_file_actions_init(&actions)
        defer {
            posix_spawnattr_destroy(&attributes)
            posix_spawn_file_actions_destroy(&actions)
        }
        // A group of its own, so that the handlers of a worker can be ended with it.
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGMASK))
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var arguments = words.map { strdup($0) } + [nil]
        var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid = pid_t()
        let code = posix_spawnp(&pid, words[0], &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw SpawnFailure(description: "\(words[0]): \(String(cString: strerror(code)))") }
        self.pid = pid
        self.log = log
        end = Task { await Reaper().wait(pid) }
    }

    /// Runs a program to its end and returns its wait status: 0 when it went well.
    static func run(_ words: [String], environment: [String: String], log: String) async throws -> CInt {
        try await MeshProcess(words, environment: environment, log: log).end.value
    }

    /// Ends it as a crash of the machine would, and returns when it is gone.
    func kill() async {
        _ = Glibc.kill(pid, SIGKILL)
        _ = await end.value
    }

    /// Asks it to end, waits, and ends what is left of its group after 10 s.
    func stop() async {
        _ = Glibc.kill(pid, SIGTERM)
        let pid = self.pid
        let impatience = Task {
            try await Task.sleep(for: .seconds(10))
            _ = Glibc.kill(-pid, SIGKILL)
        }
        _ = await end.value
        impatience.cancel()
        _ = Glibc.kill(-pid, SIGKILL)
    }
}
