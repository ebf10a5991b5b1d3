// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import BrokerClient
import Ledger
import MediaStore
import ResultStore
import Workflow

/// Checks every definition and connection.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check every definition, and with --servers every connection; one line each."
    )

    @Flag(name: .long, help: "Also check that the ledger, the broker, Redis and S3 answer.")
    var servers = false

    func run() async throws {
        let configuration = MeshConfiguration()
        let folders = DefinitionFolders(configuration: configuration)
        let (definitions, problems) = DefinitionLoader.check(apps: folders.apps, services: folders.services)
        for problem in problems { print("\(problem)") }
        for (name, service) in definitions.services.sorted(by: { $0.key < $1.key }) {
            print("service \(name): ok (\(service.engine.label))")
        }
        for (name, app) in definitions.apps.sorted(by: { $0.key < $1.key }) {
            print("app \(name): ok (\(app.methods.keys.sorted().joined(separator: ", ")))")
        }
        var isGood = problems.isEmpty
        if servers { isGood = try await checkServers(configuration) && isGood }
        if !isGood { throw ExitCode.misconfigured }
    }

    private func checkServers(_ configuration: MeshConfiguration) async throws -> Bool {
        let telemetry = try Telemetry.start(role: "check", configuration: configuration, format: .text)
        let wiring = try ServersWiring(configuration: configuration, logger: telemetry.logger)
        var isGood = true
        func check(_ name: String, _ ping: () async throws -> Void) async {
            do {
                try await ping()
                print("\(name): ok")
            } catch {
                print("\(name): \(error)")
                isGood = false
            }
        }
        await check("ledger") { try await wiring.ledger.ping() }
        await check("broker") { try await wiring.broker.ping() }
        await check("results") { try await wiring.results.ping() }
        await check("media") { try await wiring.media.ping() }
        await wiring.close()
        return isGood
    }
}

extension ServiceDefinition.Engine {
    /// The engine in a word or two.
    var label: String {
        switch self {
        case .native(let handler, _): "native \(handler)"
        case .process(let command, _): "process \(command.joined(separator: " "))"
        }
    }
}
