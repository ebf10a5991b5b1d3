// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import MallaChaos

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A mesh of separate processes on the suite's servers, with a database, a virtual host of the broker and a receiver
/// of callbacks of its own.
final class DistributedMesh: Sendable {
    let servers: MeshServers
    let client: MallaCall
    let receiver: CallbackReceiver
    /// The folder with this mesh's logs and test files.
    let folder: String
    private let environment: [String: String]
    private let appPort: Int
    private let servicePort: Int
    private let running = Mutex<[String: ChildProcess]>([:])

    /// Runs `body` with a mesh of an App API, a Service API and workers of these names, and ends it after.
    ///
    /// - Parameter holding: whether to serve the test's own ``HoldingService`` and not the shipped definitions.
    static func with(
        workers: [String] = ["worker-a"],
        holding: Bool = false,
        _ body: (DistributedMesh) async throws -> Void
    ) async throws {
        let servers = try #require(MeshServers.current, "the suite has no servers")
        let mesh = try await DistributedMesh(servers, holding: holding)
        do {
            // All at once: who comes first migrates the ledger.
            try mesh.startServiceAPI()
            try mesh.startAppAPI()
            let ports = try workers.map { try mesh.startWorker($0) }
            for port in [mesh.servicePort, mesh.appPort] + ports { try await mesh.ready(port) }
            try await body(mesh)
        } catch {
            await mesh.stop()
            mesh.tellLogs()
            throw error
        }
        await mesh.stop()
    }

    private init(_ servers: MeshServers, holding: Bool) async throws {
        self.servers = servers
        folder = servers.folder + "/mesh-\(MeshID())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        receiver = CallbackReceiver()
        appPort = Self.freePort()
        servicePort = Self.freePort()
        client = MallaCall(base: "http://127.0.0.1:\(appPort)", token: "mesh-test-token")
        if holding { try HoldingService.write(to: folder) }
        let definitions = holding ? folder : MeshServers.root
        environment = MeshServers.environment.merging([
            "DATABASE_URL": try await servers.makeDatabase(), "AMQP_URL": try await servers.makeVirtualHost(),
            "REDIS_URL": try servers.value("REDIS_URL"), "S3_ENDPOINT": try servers.value("S3_ENDPOINT"),
            "S3_BUCKET": try servers.value("S3_BUCKET"), "AWS_REGION_NAME": try servers.value("S3_REGION"),
            "AWS_ACCESS_KEY": try servers.value("S3_ACCESS_KEY"), "AWS_SECRET_KEY": try servers.value("S3_SECRET_KEY"),
            "APPS_DIR": definitions + "/apps", "SERVICES_DIR": definitions + "/services",
            "MARKETPLACE_TOKEN": client.token, "MESH_TOKEN": "mesh-test-hand-over",
            "AI_SERVICE_TOKEN": "mesh-test-service", "CALLBACK_SECRET": "whsec_bWVzaC10ZXN0LW1lc2gtdGVzdC1tZXNo",
            "MARKETPLACE_CALLBACK": "http://127.0.0.1:\(receiver.port)/callback",
            "SERVICE_API_URL": "http://127.0.0.1:\(servicePort)", "HTTP_HOST": "127.0.0.1",
            "WORKER_HTTP_HOST": "127.0.0.1", "MALLA_PYTHON": TestPrograms.python,
        ]) { $1 }
    }

    // MARK: Roles

    /// Starts the App API, again on the same port after a kill.
    func startAppAPI() throws { try start("app-api", ["app-api", "--host", "127.0.0.1", "--port", "\(appPort)"]) }

    /// Starts the Service API for all services.
    func startServiceAPI() throws { try start("service-api", ["service-api", "--port", "\(servicePort)"]) }

    /// The Service API's client.
    var jobs: JobCall { JobCall(base: "http://127.0.0.1:\(servicePort)", token: "mesh-test-service") }

    /// Starts another Service API beside the first, and returns its client once it is ready.
    func startSecondServiceAPI() async throws -> JobCall {
        let port = Self.freePort()
        try start("service-api-2", ["service-api", "--port", "\(port)"])
        try await ready(port)
        return JobCall(base: "http://127.0.0.1:\(port)", token: "mesh-test-service")
    }

    /// Starts a worker for all services under this name and returns the port of its status.
    @discardableResult
    func startWorker(_ name: String) throws -> Int {
        let port = Self.freePort()
        try start(name, ["worker", "--port", "\(port)"], ["WORKER_ID": name])
        return port
    }

    /// Ends a role as a crash of its machine would.
    func kill(_ name: String) async throws {
        let process = try #require(running.withLock { $0.removeValue(forKey: name) }, "\(name) is not running")
        await process.kill()
    }

    /// Asks a role to end, as a deploy does, and waits until it has.
    func terminate(_ name: String) async throws {
        let process = try #require(running.withLock { $0.removeValue(forKey: name) }, "\(name) is not running")
        await process.stop()
    }

    /// Waits until the task's callback has come, and until no other can: then they all must have one id.
    func callback(of task: String) async throws -> CallbackReceiver.Callback {
        let found = try await until(.seconds(15)) { receiver.callbacks(of: task).first }
        let first = try #require(found, "no callback of \(task) within 15 s")
        #expect(Set(receiver.callbacks(of: task).map(\.id)) == [first.id], "a task has one callback id")
        #expect(!first.id.isEmpty)
        return first
    }

    private func start(_ name: String, _ words: [String], _ more: [String: String] = [:]) throws {
        let process = try ChildProcess(
            [TestPrograms.malla] + words,
            environment: environment.merging(more) { $1 },
            log: "\(folder)/\(name).log"
        )
        running.withLock { $0[name] = process }
    }

    private func ready(_ port: Int) async throws {
        let up: Bool? = try await until(.seconds(30)) {
            let answer = try? await client.send("GET", "/readyz", at: "http://127.0.0.1:\(port)")
            return answer == nil ? nil : true
        }
        try #require(up == true, "the role on port \(port) is not ready after 30 s: logs in \(folder)")
    }

    private func stop() async {
        let processes = running.withLock { running in
            defer { running = [:] }
            return running
        }
        await withTaskGroup(of: Void.self) { group in
            for process in processes.values { group.addTask { await process.stop() } }
        }
        receiver.stop()
    }

    /// The ends of the roles' logs, for whoever reads the failure: the folder is removed with the servers.
    private func tellLogs() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasSuffix(".log") {
            let text = (try? String(contentsOfFile: folder + "/" + name, encoding: .utf8)) ?? ""
            print("--- \(name)\n\(text.suffix(3000))")
        }
    }

    // MARK: Places

    static func freePort() -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(descriptor, raw, length)
                _ = getsockname(descriptor, raw, &length)
            }
            return Int(UInt16(bigEndian: $0.pointee.sin_port))
        }
    }
}
