// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Runs a program to its end on a thread of its own.
///
/// Foundation's `Process` would wait for the servers that the script leaves running, as they inherit its socket.
private actor Command {
    nonisolated let loop = LoopThread(name: "command")
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    func run(_ words: [String]) -> CInt {
        var pid = pid_t()
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        // The loop thread blocks signals, and a server that inherits that never hears its SIGTERM.
        var attributes = posix_spawnattr_t()
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_init(&attributes)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        defer { posix_spawnattr_destroy(&attributes) }
        guard posix_spawn(&pid, words[0], nil, &attributes, &arguments, environ) == 0 else { return -1 }
        var status: CInt = -1
        while waitpid(pid, &status, 0) == -1, errno == EINTR {}
        return status
    }
}

/// Runs `scripts/servers.sh COMMAND DIR …` on the private servers.
func privateServers(_ command: String, _ arguments: String...) async throws {
    let folder = try #require(TestServers.folder)
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let status = await Command().run([root + "/scripts/servers.sh", command, folder] + arguments)
    #expect(status == 0, "servers.sh \(command) \(arguments)")
}
