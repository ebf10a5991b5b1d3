// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import BrokerClient
import Fairness
import Foundation
import Ledger
import MediaStore
import ResultStore
import ServiceWorker
import Workflow

/// Checks every definition and connection.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check every definition and variable, and with --servers every connection.",
        discussion: "Exits with 78 when a definition or a variable is wrong, with 69 when a server does not answer."
    )

    @Flag(name: .long, help: "Also check that the ledger, the broker, Redis and S3 answer.")
    var servers = false

    func run() async throws {
        let configuration = MeshConfiguration()
        let mask = SecretMask(configuration: configuration)
        var isGood = true
        do {
            try configuration.check(Setting.all + Setting.ofHandlers)
            _ = try configuration.guardedPolicy()
            _ = try configuration.limits()
            let tokens = try configuration.tokensFile()
            _ = try configuration.infrastructure()
            print("variables: ok")
            sayWhatRolesLack(configuration, tokens)
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
            for lack in service.lacks(configuration.engineSettings()) {
                print(mask.masked("service \(name): \(lack), which its worker needs"))
            }
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

    /// Says what roles of a mesh of processes would not start without; nobody has to run them all here.
    private func sayWhatRolesLack(_ configuration: MeshConfiguration, _ tokens: TokensFile?) {
        for (role, requirements) in Requirement.roles {
            let names = requirements.filter { !$0.isMet(configuration, tokens) }.map(\.name)
            if !names.isEmpty { print("malla \(role): would not start without \(names.joined(separator: ", "))") }
        }
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

extension ServiceDefinition {
    /// What its command names and is not on this machine, where its worker need not be.
    fileprivate func lacks(_ settings: ProcessEngineSettings) -> [String] {
        guard case .process(let command, _) = engine, let program = command.first else { return [] }
        // The programs beside MALLA_PYTHON come first, itself among them; a path begins at the definition's folder.
        let beside = settings.python.flatMap { python in
            python.lastIndex(of: "/").map { String(python[..<$0]) }
        }
        let isHere = Setting.isProgram(program.contains("/") ? path(program) : program, beside: beside)
        let scripts = command.dropFirst().filter { $0.hasSuffix(".py") || $0.hasSuffix(".sh") }
        let missing = scripts.filter { !FileManager.default.fileExists(atPath: path($0)) }
        return (isHere ? [] : ["there is no program '\(program)' here"])
            + missing.map { "there is no file '\($0)' in \(folder)" }
    }

    private func path(_ name: String) -> String { name.hasPrefix("/") ? name : "\(folder)/\(name)" }
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
