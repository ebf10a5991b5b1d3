// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import BrokerClient
import Hummingbird
import Ledger
import NIOCore
import ServiceWorker
import Workflow

/// Runs a worker.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run a worker: takes jobs of some services, or all, and runs their handlers."
    )

    @Option(name: .long, parsing: .upToNextOption, help: "The services to work for; all when none is named.")
    var service: [String] = []

    @Option(name: .long, help: "Port of health and status; else WORKER_HTTP_PORT, else 8081.")
    var port: Int?

    @Option(name: .long, help: "Address to listen on; else WORKER_HTTP_HOST, else 0.0.0.0.")
    var host: String?

    func run() async throws {
        let configuration = MeshConfiguration()
        try await reportingConfiguration { try await run(configuration) }
    }

    private func run(_ configuration: MeshConfiguration) async throws {
        try configuration.check(Setting.all + Setting.ofHandlers, needing: Requirement.ofWorker)
        let telemetry = try Telemetry.start(role: "worker", configuration: configuration, format: .json)
        let definitions = try DefinitionFolders(configuration: configuration).load()
        let selected = try definitions.selected(service)
        let host = host ?? configuration.text("WORKER_HTTP_HOST", default: "0.0.0.0")
        let port = try port ?? configuration.port("WORKER_HTTP_PORT", default: 8081)
        try ListeningPort.check(host: host, port: port, setting: "--port or WORKER_HTTP_PORT")
        let parts = try ServersWiring(configuration: configuration, logger: telemetry.logger)
        let assembly = try RoleAssembly(configuration: configuration, parts: parts, telemetry: telemetry)
        let worker = try assembly.worker(selected)
        let status = WorkerStatus(worker: worker, parts: parts, telemetry: telemetry)
        let server = assembly.serve(
            status.router(),
            host: host,
            port: port
        ) {}
        try await assembly.prepareLedger()
        configuration.forgetEnvironment()
        // The status server starts first and stops last: a draining worker still tells how it does.
        let limit = ShutdownLimit(limit: worker.longestDrain, logger: telemetry.logger)
        try await assembly.run([server, worker, limit])
    }
}

/// The open endpoints of a worker, for probes and people.
private struct WorkerStatus: Sendable {
    let worker: ServiceWorker
    let parts: any MeshParts
    let telemetry: Telemetry

    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        let metrics = telemetry.metricsText
        router.get("/healthz") { _, _ in answer(["status": "ok"]) }
        router.get("/worker/status") { _, _ in answer(await worker.status) }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: metrics()))
            )
        }
        router.get("/readyz") { _, _ in
            var failing: [(String, JSON)] = []
            do { try await parts.ledger.ping() } catch { failing.append(("ledger", .string("\(error)"))) }
            do { try await parts.broker.ping() } catch { failing.append(("broker", .string("\(error)"))) }
            let json: JSON = [
                "status": failing.isEmpty ? "ok" : "not ready", "failing": .object(JSONObject(failing)),
            ]
            return answer(json, failing.isEmpty ? .ok : .serviceUnavailable)
        }
        return router
    }

    private func answer(_ json: JSON, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(bytes: json.bytes))
        )
    }
}
