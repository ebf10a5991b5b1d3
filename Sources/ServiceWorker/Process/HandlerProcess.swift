// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One running program in a session and a process group of its own.
///
/// Two threads belong to it: one starts it and waits for its end, one reads what it writes. When it ends, or the last
/// reference is gone, the whole group is killed: no child of a handler outlives it.
final class HandlerProcess: Sendable {
    /// What the process writes.
    let output: HandlerOutput
    private let group: HandlerGroup

    /// Starts the program.
    ///
    /// - Parameter onExit: called once, from a thread of its own, when the process has ended (or could not be
    ///   started) and its output has been read.
    init(
        _ command: HandlerCommand,
        in place: HandlerPlace,
        output: HandlerOutput,
        onExit: @escaping @Sendable (HandlerExit) -> Void
    ) {
        self.output = output
        let group = HandlerGroup()
        self.group = group
        let isStarted = startThread {
            let exit = runProcess(command, in: place, group: group, output: output)
            onExit(exit)
        }
        if !isStarted { onExit(.notStarted("no thread is left for it (ulimit -u)")) }
    }

    deinit {
        group.signal(SIGKILL)
    }

    /// The process id; nil before the start and after the end.
    var pid: Int? { group.leader.map(Int.init) }

    /// Asks the program to end.
    func terminate() {
        group.signal(SIGTERM)
    }

    /// Ends the program and all its children by force.
    func kill() {
        group.signal(SIGKILL)
    }
}

/// Runs the program to its end, with its scratch folder; the body of its thread.
private func runProcess(
    _ command: HandlerCommand,
    in place: HandlerPlace,
    group: HandlerGroup,
    output: HandlerOutput
) -> HandlerExit {
    let scratch: String
    switch place.enter(command.name) {
    case .success(let made): scratch = made
    case .failure(let fault): return .notStarted(fault.description)
    }
    // What can't be removed is empty or the handler's own, and goes with the folder around it.
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    var command = command
    command.environment["MALLA_SCRATCH"] = scratch
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { return .notStarted("no descriptor is left for it (ulimit -n)") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let (readEnd, writeEnd) = (ends[0], ends[1])
    let spawned = spawn(command, output: writeEnd)
    close(writeEnd)
    guard case .success(let pid) = spawned else {
        close(readEnd)
        if case .failure(let error) = spawned { return .notStarted(error.reason) }
        return .notStarted("unknown")
    }
    let isRead = HandlerFlag()
    let isReading = startThread {
        readOutput(readEnd, into: output)
        isRead.raise()
    }
    if !isReading { close(readEnd) }
    group.began(pid)
    place.began(pid)

    // Waited for without reaping first: until then the id can't be given to another, so killing the group is safe.
    var info = siginfo_t()
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    group.ended()
    place.ended(pid)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    // A child that left the group may hold the pipe open for ever: its output is not waited for.
    if isReading { isRead.wait(milliseconds: 1000) }
    return HandlerExit(waitStatus: status)
}

private func readOutput(_ descriptor: CInt, into output: HandlerOutput) {
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count > 0 {
            output.append(buffer[..<count])
        } else if count == 0 || errno != EINTR {
            break
        }
    }
    close(descriptor)
}

private struct SpawnError: Error {
    let reason: String
}

private func spawn(_ command: HandlerCommand, output: CInt) -> Result<pid_t, SpawnError> {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, output, 2)
    guard SpawnSettings.changeFolder(&actions, command.folder) else {
        return .failure(SpawnError(reason: "this system can't start a program in a folder"))
    }
    // Libraries do not all mark their descriptors close-on-exec.
    SpawnSettings.closeDescriptors(&actions, from: 3)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    SpawnSettings.setFresh(&attributes)

    let arguments = command.arguments.map { strdup($0) } + [nil]
    let environment = command.environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in arguments + environment { free(text) } }
    guard let program = command.arguments.first else { return .failure(SpawnError(reason: "it has no command")) }
    var pid = pid_t()
    let code = posix_spawnp(&pid, program, &actions, &attributes, arguments, environment)
    guard code == 0 else {
        let reason = String(cString: strerror(code))
        return .failure(SpawnError(reason: "\(program) in \(command.folder): \(reason)"))
    }
    return .success(pid)
}
