// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A role of the mesh: the process that plays it now, and how to start another.
final class RoleProcess: Sendable {
    /// What of it changes.
    private struct State {
        var process: ChildProcess?
        /// Whether its clock may be off.
        var hasOddClock = false
        /// The processes that ended without being told to.
        var crashes: [String] = []
    }

    let role: Role
    /// The port of its API, or of a worker's status.
    let port: Int
    private let words: [String]
    private let environment: [String: String]
    private let log: String
    private let state = Mutex(State())

    init(_ role: Role, binary: String, port: Int, environment: [String: String], log: String) {
        self.role = role
        self.port = port
        let command =
            switch role.kind {
            case .appAPI: "app-api"
            case .serviceAPI: "service-api"
            case .worker: "worker"
            }
        words = [binary, command, "--port", "\(port)"] + (role.kind == .appAPI ? ["--host", "127.0.0.1"] : [])
        self.environment = environment
        self.log = log
    }

    /// The process; nil while there is none.
    var pid: pid_t? { state.withLock { $0.process.flatMap { $0.isRunning ? $0.pid : nil } } }

    /// Whether it was started with a clock that may be off.
    var hasOddClock: Bool { state.withLock { $0.hasOddClock } }

    /// What ended without being told to, and how.
    var crashes: [String] { state.withLock { $0.crashes } }

    /// Starts it; it must not be running.
    ///
    /// - Parameter more: variables besides its usual ones.
    func start(_ more: [String: String] = [:]) throws {
        try state.withLock { state in
            guard state.process?.isRunning != true else { throw MeshFailure("\(role.rawValue) is running already") }
            let process = try ChildProcess(words, environment: environment.merging(more) { $1 }, log: log)
            state.process = process
            state.hasOddClock = !more.isEmpty
            Task { await self.watch(process) }
        }
    }

    /// Ends it as a crash of its machine does, and returns when it is gone; its handlers are left to the kernel.
    func kill() async throws {
        let process = try take()
        process.signal(SIGKILL)
        guard await process.ends(within: .seconds(5)) else {
            throw MeshFailure("\(role.rawValue) outlived its SIGKILL")
        }
    }

    /// Stops the process where it is; its handlers go on.
    func freeze() throws {
        try state.withLock { state in
            guard let process = state.process, process.isRunning, process.signal(SIGSTOP) else { throw absence }
        }
    }

    /// Lets it go on.
    func thaw() {
        state.withLock { _ = $0.process?.signal(SIGCONT) }
    }

    /// Asks it to end, as a deploy does, and waits until it has.
    ///
    /// - Throws: ``MeshFailure`` when it has not after `limit`; it is killed then.
    func terminate(within limit: Duration = .seconds(30)) async throws {
        let process = try take()
        // One that has only just been started, or waits for its ledger, simply ends.
        let isReady = ProcessTable.minds(SIGTERM, in: process.pid)
        process.signal(SIGTERM)
        process.signal(SIGCONT)
        if await process.ends(within: limit) {
            let status = await process.end
            guard status == 0 || !isReady && status == SIGTERM else {
                throw MeshFailure("\(role.rawValue) ended with status \(status) after SIGTERM")
            }
            return
        }
        process.signal(SIGKILL)
        _ = await process.ends(within: .seconds(5))
        throw MeshFailure("\(role.rawValue) had not ended \(limit) after SIGTERM and was killed")
    }

    /// Ends the processes of its handlers, which are those that descend from it and have a folder of their own.
    ///
    /// - Returns: how many there were.
    func killHandlers() throws -> Int {
        guard let pid else { throw absence }
        let victims = ProcessTable.read().tree(of: pid).dropFirst().filter {
            ProcessTable.environment(of: $0)["MALLA_SCRATCH"] != nil
        }
        return victims.count { Kernel.send(SIGKILL, to: $0) }
    }

    private var absence: MeshFailure { MeshFailure("\(role.rawValue) is not running; its log is \(log)") }

    /// The process, which is about to be ended: its end is no crash.
    private func take() throws -> ChildProcess {
        try state.withLock { state in
            guard let process = state.process, process.isRunning else { throw absence }
            state.process = nil
            return process
        }
    }

    private func watch(_ process: ChildProcess) async {
        let status = await process.end
        state.withLock { state in
            guard state.process === process else { return }
            let how = status & 0x7F == 0 ? "with status \(status >> 8)" : "by signal \(status & 0x7F)"
            state.crashes.append("\(role.rawValue), pid \(process.pid), ended \(how) on its own")
        }
    }
}
