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

    @Option(name: .long, help: "Port; else HTTP_PORT, else 8080.")
    var port: Int?

    func run() async throws {
        let configuration = MeshConfiguration()
        try await reportingConfiguration { try await run(configuration) }
    }

    private func run(_ configuration: MeshConfiguration) async throws {
        let telemetry = try Telemetry.start(role: "service-api", configuration: configuration, format: .json)
        let definitions = try DefinitionFolders(configuration: configuration).load()
        let selected = try definitions.selected(service)
        let parts = try ServersWiring(configuration: configuration, logger: telemetry.logger)
        let assembly = RoleAssembly(configuration: configuration, parts: parts, telemetry: telemetry)
        let (_, services) = try assembly.serviceAPI(
            selected,
            host: configuration.text("HTTP_HOST", default: "0.0.0.0"),
            port: try port ?? configuration.port("HTTP_PORT", default: 8080)
        )
        try await assembly.prepareLedger()
        try await assembly.run(services)
    }
}
