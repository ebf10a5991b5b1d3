// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Workflow

/// Runs the Service API.
struct ServiceAPICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service-api",
        abstract: "Run the Service API: turns jobs into tickets, of some services or all."
    )

    @Option(name: .long, parsing: .upToNextOption, help: "The services to serve; all when none is named.")
    var service: [String] = []

    @Option(name: .long, help: "Port to listen on; else HTTP_PORT, else 8080.")
    var port: Int?

    @Option(name: .long, help: "Address to listen on; else HTTP_HOST, else 0.0.0.0.")
    var host: String?

    func run() async throws {
        let configuration = MeshConfiguration()
        try await reportingConfiguration { try await run(configuration) }
    }

    private func run(_ configuration: MeshConfiguration) async throws {
        try configuration.check(needing: Requirement.ofServiceAPI)
        let telemetry = try Telemetry.start(role: "service-api", configuration: configuration, format: .json)
        let definitions = try DefinitionFolders(configuration: configuration).load()
        let selected = try definitions.selected(service)
        guard try configuration.token("MESH_TOKEN") != nil else {
            throw ConfigurationError(missing: "MESH_TOKEN", "the token with which the App API hands over jobs")
        }
        let host = host ?? configuration.text("HTTP_HOST", default: "0.0.0.0")
        let port = try port ?? configuration.port("HTTP_PORT", default: 8080)
        try ListeningPort.check(host: host, port: port, setting: "--port or HTTP_PORT")
        let parts = try ServersWiring(configuration: configuration, logger: telemetry.logger)
        let assembly = try RoleAssembly(configuration: configuration, parts: parts, telemetry: telemetry)
        let (_, services, server) = try assembly.serviceAPI(
            selected,
            known: definitions.services,
            host: host,
            port: port
        )
        try await assembly.prepareLedger()
        configuration.forgetEnvironment()
        let limit = ShutdownLimit(limit: ShutdownLimit.ofAPI, logger: telemetry.logger)
        try await assembly.run(services + [server, limit])
    }
}
