// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import ArgumentParser
import Fairness
import Workflow

/// Runs the App API.
struct AppAPICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "app-api",
        abstract: "Run the App API: takes requests, runs workflows, calls clients back."
    )

    @Option(name: .long, help: "Port to listen on; else APP_API_PORT, else 8007.")
    var port: Int?

    @Option(name: .long, help: "Address to listen on.")
    var host = "0.0.0.0"

    func run() async throws {
        let configuration = MeshConfiguration()
        try await reportingConfiguration { try await run(configuration) }
    }

    private func run(_ configuration: MeshConfiguration) async throws {
        try configuration.check(needing: Requirement.ofAppAPI)
        let telemetry = try Telemetry.start(role: "app-api", configuration: configuration, format: .json)
        let definitions = try DefinitionFolders(configuration: configuration).load()
        let port = try port ?? configuration.port("APP_API_PORT", default: 8007)
        try ListeningPort.check(host: host, port: port, setting: "--port or APP_API_PORT")
        let parts = try ServersWiring(configuration: configuration, logger: telemetry.logger)
        let assembly = try RoleAssembly(configuration: configuration, parts: parts, telemetry: telemetry)
        guard let meshToken = try configuration.token("MESH_TOKEN") else {
            throw ConfigurationError(missing: "MESH_TOKEN", "the token with which the App API calls the Service APIs")
        }
        let handOver = HTTPJobHandOver(
            client: parts.trustedHTTP,
            base: configuration.text("SERVICE_API_URL", default: "http://127.0.0.1:8080"),
            bases: try serviceURLs(configuration),
            token: assembly.tokens?.entries(.mesh)?.first.map { NamedTokens.split($0).token } ?? meshToken
        )
        let (api, services, server) = try assembly.appAPI(
            definitions,
            handOver: handOver,
            host: host,
            port: port
        )
        try await assembly.prepareLedger()
        try await assembly.untilTheLedgerAnswers { try await api.storeDefinitions() }
        configuration.forgetEnvironment()
        let limit = ShutdownLimit(limit: ShutdownLimit.ofAPI, logger: telemetry.logger)
        try await assembly.run(services + [server, limit])
    }

    private func serviceURLs(_ configuration: MeshConfiguration) throws -> [String: String] {
        var urls: [String: String] = [:]
        for entry in configuration.list("SERVICE_API_URLS") {
            guard let equals = entry.firstIndex(of: "=") else {
                throw ConfigurationError("SERVICE_API_URLS", entry, "name=URL pairs, separated by commas")
            }
            urls[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return urls
    }
}
