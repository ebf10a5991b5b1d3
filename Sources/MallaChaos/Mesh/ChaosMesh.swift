// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A mesh of separate processes on servers of its own, each reached through a proxy, which can be broken in any place.
///
/// Several live side by side on a machine. All state is in one folder, which stays when the mesh is stopped; only when
/// the harness itself is killed does a guardian remove it with everything that runs in it.
final class ChaosMesh: Sendable {
    /// The folder with all its state, logs included.
    let folder: String
    /// The servers.
    let servers: PrivateServers
    /// The proxies between all parts.
    let links: MeshLinks
    /// What marketplace clients send.
    let marketplaceToken = "chaos-marketplace"
    /// What clients of the Service APIs send.
    let serviceToken = "chaos-service"
    /// What callbacks are signed with.
    static let callbackSecret = "whsec_Y2hhb3MtY2FsbGJhY2stY2hhb3MtY2FsbGJhY2s="
    let roles: [Role: RoleProcess]
    let transfer = CurlTransfer()
    private let ports: PortBlock
    private let guardian: ChildProcess
    private let rest = Mutex(MeshRest())
    private let clocks = Mutex<Task<FakeClock, any Error>?>(nil)

    /// Where clients reach the App APIs, no proxy between.
    var appURLs: [String] { [Role.appAPI1, .appAPI2].map(url) }

    /// Where clients reach the Service APIs, no proxy between.
    var serviceURLs: [String] { [Role.serviceAPI1, .serviceAPI2].map(url) }

    /// The library that sets clocks off, made when it is first asked for.
    var clock: Task<FakeClock, any Error> {
        clocks.withLock { clock in
            let made = clock ?? Task { [folder] in try await FakeClock(folder: folder) }
            clock = made
            return made
        }
    }

    /// What it held when it was ready and had done nothing yet.
    var atRest: MeshRest { rest.withLock { $0 } }

    /// The roles that ended without being told to, and how: a finding in itself.
    var crashes: [String] { Role.allCases.flatMap { roles[$0]?.crashes ?? [] } }

    /// Starts servers, proxies and roles, and returns when all roles are ready.
    ///
    /// - Parameters:
    ///   - folder: a folder below `/tmp` that does not exist, or holds nothing but the definitions.
    ///   - binary: the path of `malla`.
    ///   - definitions: the folder with `apps/` and `services/`.
    ///   - receiverPort: where the receiver of callbacks listens on loopback.
    ///   - python: the Python that handlers run on.
    ///   - environment: variables of all roles besides the usual ones, or in their place.
    static func start(
        folder: String,
        binary: String,
        definitions: String,
        receiverPort: Int,
        python: String,
        environment: [String: String] = [:]
    ) async throws -> ChaosMesh {
        let script = try script(near: binary)
        let plain = PlainEnvironment.variables
        try MeshFolder.make(folder)
        let guardian = try ChildProcess(
            [script, "guard", folder, "\(getpid())", ProcessTable.started(getpid()) ?? ""],
            environment: plain,
            log: folder + "/guard.log"
        )
        do {
            let servers = try await PrivateServers(folder: folder, script: script, environment: plain)
            do {
                let mesh = try await ChaosMesh(
                    MeshSetup(
                        folder: folder,
                        binary: binary,
                        definitions: definitions,
                        receiverPort: receiverPort,
                        python: python,
                        environment: plain.merging(environment) { $1 }
                    ),
                    servers: servers,
                    guardian: guardian
                )
                do {
                    try await mesh.begin()
                    return mesh
                } catch {
                    try await mesh.stop()
                    throw error
                }
            } catch {
                try await servers.stop()
                throw error
            }
        } catch {
            await guardian.killGroup()
            throw error
        }
    }

    private init(_ setup: MeshSetup, servers: PrivateServers, guardian: ChildProcess) async throws {
        folder = setup.folder
        self.servers = servers
        self.guardian = guardian
        let ports = try PortBlock()
        self.ports = ports
        var rolePorts: [Role: Int] = [:]
        for (offset, role) in Role.allCases.enumerated() { rolePorts[role] = ports.first + offset }
        let taken = rolePorts
        links = try await MeshLinks { link in
            switch link.to {
            case .server(let server): try servers.port(of: server)
            case .receiver: setup.receiverPort
            case .serviceAPI: taken[link.from == .appAPI1 ? .serviceAPI1 : .serviceAPI2] ?? 0
            }
        }
        let secrets = MeshSetup.Secrets(
            marketplace: marketplaceToken,
            service: serviceToken,
            callback: Self.callbackSecret
        )
        var roles: [Role: RoleProcess] = [:]
        for (role, port) in rolePorts {
            try MeshFolder.make("\(folder)/tmp/\(role.rawValue)")
            roles[role] = RoleProcess(
                role,
                binary: setup.binary,
                port: port,
                environment: try setup.environment(of: role, servers: servers, links: links, secrets: secrets),
                log: "\(folder)/\(role.rawValue).log"
            )
        }
        self.roles = roles
    }

    /// Ends everything that was started, and what of it escaped; the folder stays.
    func stop() async throws {
        await guardian.killGroup()
        for role in roles.values {
            // One that ends by itself meanwhile is as good.
            if role.pid != nil { try? await role.kill() }
        }
        for process in ownProcesses() { Kernel.send(SIGKILL, to: process.pid) }
        await transfer.close()
        let closing = Task { try await links.stop() }
        try await servers.stop()
        try await closing.value
    }

    private func begin() async throws {
        for role in roles.values { try role.start() }
        try await allReady()
        let held = MeshRest(descriptors: descriptors(), connections: try await links.connections())
        rest.withLock { $0 = held }
    }

    private func url(of role: Role) -> String { "http://127.0.0.1:\(roles[role]?.port ?? 0)" }

    /// `scripts/servers.sh` of the package that the binary was built in, else of the working folder.
    ///
    /// - Throws: ``MeshFailure`` when there is none.
    static func script(near binary: String) throws(MeshFailure) -> String {
        var parts = binary.split(separator: "/", omittingEmptySubsequences: false)
        while !parts.isEmpty {
            parts.removeLast()
            let candidate = (parts + ["scripts", "servers.sh"]).joined(separator: "/")
            if access(candidate, X_OK) == 0 { return candidate }
        }
        guard access("scripts/servers.sh", X_OK) == 0 else {
            throw MeshFailure("there is no scripts/servers.sh above \(binary) or here")
        }
        return "scripts/servers.sh"
    }
}
