// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Workflow

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

extension ChaosMesh {
    // MARK: Roles

    /// Starts a role again, on its old port.
    func start(_ role: Role) throws { try process(of: role).start() }

    /// Starts a role whose clock can be set; it is right at first.
    func startWithClock(_ role: Role) async throws {
        let clock = try await clock.value
        try process(of: role).start(try clock.environment(of: role))
    }

    /// Sets the clock of a role that was started so, from one moment to the next.
    func setClock(of role: Role, off seconds: Int) async throws { try await clock.value.set(role, off: seconds) }

    /// SIGKILL, and waits until it is gone.
    func kill(_ role: Role) async throws { try await process(of: role).kill() }

    /// SIGSTOP to the role's process; a worker's handlers go on.
    func freeze(_ role: Role) throws { try process(of: role).freeze() }

    /// SIGCONT.
    func thaw(_ role: Role) throws { try process(of: role).thaw() }

    /// SIGTERM, and waits until it has drained and ended.
    func terminate(_ role: Role) async throws { try await process(of: role).terminate() }

    /// SIGKILL to the processes of a worker's handlers; returns how many there were.
    func killHandlers(of role: Role) throws -> Int { try process(of: role).killHandlers() }

    /// Whether a role says that it is ready and that nothing is away.
    func isReady(_ role: Role) async -> Bool {
        guard let process = roles[role], process.pid != nil else { return false }
        let request = TransferRequest("GET", "http://127.0.0.1:\(process.port)/readyz", timeout: .seconds(5))
        guard let answer = try? await transfer.send(request), answer.head.status == 200 else { return false }
        return !String(decoding: answer.body, as: UTF8.self).contains("degraded")
    }

    /// Waits until a role is ready.
    ///
    /// - Throws: ``MeshFailure`` with the end of its log when it is not in time, or has ended.
    func ready(_ role: Role, within limit: Duration = .seconds(60)) async throws {
        let process = try process(of: role)
        let deadline = ContinuousClock.now + limit
        while !(await isReady(role)) {
            guard process.pid != nil, ContinuousClock.now < deadline else {
                let log = TextFile.read("\(folder)/\(role.rawValue).log") ?? ""
                let what = process.pid == nil ? "has ended" : "is not ready after \(limit)"
                throw MeshFailure("\(role.rawValue) \(what); the end of its log:\n\(log.suffix(2000))")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Waits until all roles are ready.
    func allReady() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for role in Role.allCases { group.addTask { try await self.ready(role) } }
            try await group.waitForAll()
        }
    }

    // MARK: Servers

    /// Starts a server again on its old port and data, and waits until it answers.
    func start(_ server: Server) async throws { try await servers.start(server) }

    /// SIGKILL to all its processes.
    func kill(_ server: Server) async throws { try await servers.kill(server) }

    /// SIGSTOP to all its processes.
    func freeze(_ server: Server) throws { try servers.freeze(server) }

    /// SIGCONT to all its processes.
    func thaw(_ server: Server) { servers.thaw(server) }

    /// Ends it as its service manager does.
    func terminate(_ server: Server) async throws { try await servers.terminate(server) }

    /// RabbitMQ is killed and comes back without any data.
    func wipe() async throws {
        try await servers.kill(.rabbit)
        try await servers.wipe()
        try await servers.start(.rabbit)
    }

    /// Redis loses all keys.
    func flush() async throws { try await servers.flush() }

    /// S3 can write nothing from now on, or can again.
    func setDisk(isFull: Bool) async throws { try await servers.setDisk(isFull: isFull) }

    // MARK: Links

    /// Changes what happens on a link.
    func set(_ mode: LinkMode, on link: Link) async throws { try await links.set(mode, on: link) }

    // MARK: All

    /// Takes back whatever is broken, and returns when all roles are ready.
    func heal() async throws {
        try await links.clean()
        for server in Server.allCases { servers.thaw(server) }
        for role in roles.values { role.thaw() }
        try await servers.setDisk(isFull: false)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for server in Server.allCases where servers.pid(of: server) == nil {
                group.addTask { try await self.servers.start(server) }
            }
            for role in roles.values {
                group.addTask {
                    if role.hasOddClock, role.pid != nil { try await role.kill() }
                    if role.pid == nil { try role.start() }
                }
            }
            try await group.waitForAll()
        }
        try await allReady()
    }

    private func process(of role: Role) throws -> RoleProcess {
        guard let process = roles[role] else { throw MeshFailure("there is no \(role.rawValue)") }
        return process
    }
}
