// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import BrokerClient
import Foundation
import Ledger
import MediaStore
import ResultStore
import Workflow

/// Checks every definition and connection.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check every definition and variable, and with --servers every connection; one line each.",
        discussion: "Exits with 78 when a definition or a variable is wrong, with 69 when a server does not answer."
    )

    @Flag(name: .long, help: "Also check that the ledger, the broker, Redis and S3 answer.")
    var servers = false

    func run() async throws {
        let configuration = MeshConfiguration()
        let mask = SecretMask(configuration: configuration)
        var isGood = true
        do {
            try configuration.check()
            _ = try configuration.guardedPolicy()
            _ = try configuration.limits()
            _ = try configuration.tokensFile()
            _ = try configuration.infrastructure()
        } catch {
            Terminal.complain(mask.masked("\(error)"))
            isGood = false
        }
        let folders = DefinitionFolders(configuration: configuration)
        let (definitions, problems) = DefinitionLoader.check(
            apps: folders.apps,
            services: folders.services,
            environment: ProcessInfo.processInfo.environment
        )
        for problem in problems { print(mask.masked("\(problem)")) }
        for (name, service) in definitions.services.sorted(by: { $0.key < $1.key }) {
            print(mask.masked("service \(name): ok (\(service.engine.label))"))
        }
        for (name, app) in definitions.apps.sorted(by: { $0.key < $1.key }) {
            print("app \(name): ok (\(app.methods.keys.sorted().joined(separator: ", ")))")
        }
        isGood = isGood && problems.isEmpty
        var areUp = true
        if servers, isGood { try await reportingConfiguration { areUp = try await checkServers(configuration) } }
        if !isGood { throw ExitCode.misconfigured }
        if !areUp { throw ExitCode.unreachable }
    }

    private func checkServers(_ configuration: MeshConfiguration) async throws -> Bool {
        let telemetry = try Telemetry.start(role: "check", configuration: configuration, format: .text)
        let wiring = try ServersWiring(configuration: configuration, logger: telemetry.logger)
        let mask = SecretMask(configuration: configuration)
        var isGood = true
        func check(_ name: String, _ variables: String, _ ping: () async throws -> Void) async {
            do {
                try await ping()
                print("\(name): ok")
            } catch {
                print(mask.masked("\(name): \(error) (\(variables))"))
                isGood = false
            }
        }
        await check("ledger", "DATABASE_URL or POSTGRES_*") { try await wiring.ledger.ping() }
        await check("broker", "AMQP_URL or RABBITMQ_*") { try await wiring.broker.ping() }
        await check("results", "REDIS_URL or REDIS_*") { try await wiring.results.ping() }
        await check("media", "S3_* and AWS_*") { try await wiring.media.ping() }
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
        case .openai(let providers, _): "openai \(Self.names(providers))"
        case .http(let providers, _): "http \(Self.names(providers))"
        case .transcription(let providers, _): "transcription \(Self.names(providers))"
        case .remote: "remote: its workers are elsewhere"
        }
    }

    private static func names(_ providers: [Provider]) -> String {
        providers.map(\.name).joined(separator: ", ")
    }
}
