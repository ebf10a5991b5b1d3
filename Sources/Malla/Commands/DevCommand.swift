// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import ArgumentParser
import Foundation
import Ledger
import Plumbing
import ServiceLifecycle
import ServiceWorker
import Workflow

/// Runs the whole mesh in one process, without any server.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Run the whole mesh in this process, on embedded parts: no server is needed.",
        discussion: "State lies in the data folder and survives a restart. Tokens come from the environment, else "
            + "they are made up, kept in the data folder and printed once. The Service API listens on HTTP_PORT (8080)."
    )

    @Option(name: .long, help: ArgumentHelp("Port of the App API; else APP_API_PORT, else 8007.", valueName: "port"))
    var port: Int?

    @Option(name: .long, help: ArgumentHelp("Folder of the state; else MALLA_DATA, else .malla.", valueName: "folder"))
    var data: String?

    @Option(name: .long, help: "Address that both APIs listen on.")
    var host = "127.0.0.1"

    func run() async throws {
        let configuration = MeshConfiguration()
        try await reportingConfiguration { try await run(configuration) }
    }

    private func run(_ configuration: MeshConfiguration) async throws {
        try configuration.check(Setting.all + Setting.ofHandlers)
        let telemetry = try Telemetry.start(role: "dev", configuration: configuration, format: .text)
        let appPort = try port ?? configuration.port("APP_API_PORT", default: 8007)
        let servicePort = try configuration.port("HTTP_PORT", default: 8080)
        let definitions = try DefinitionFolders(configuration: configuration).load()
        let dataFolder = try DataFolder(path: data ?? configuration.text("MALLA_DATA", default: ".malla"))
        let folder = dataFolder.path
        try ListeningPort.check(host: host, port: appPort, setting: "--port or APP_API_PORT")
        try ListeningPort.check(host: host, port: servicePort, setting: "HTTP_PORT")
        let secrets = try DevSecrets.load(folder: folder, configuration: configuration)
        let base = "http://\(host == "0.0.0.0" ? "127.0.0.1" : host):\(appPort)"
        let parts = try EmbeddedWiring(
            folder: folder,
            publicURL: base,
            mediaKey: secrets.values["MEDIA_KEY"] ?? "",
            configuration: configuration,
            logger: telemetry.logger
        )
        let assembly = try RoleAssembly(
            configuration: configuration,
            parts: parts,
            telemetry: telemetry,
            secrets: secrets.values
        )
        try await parts.ledger.migrate()
        let (admission, tickets, serviceServer) = try assembly.serviceAPI(
            definitions.services,
            known: definitions.services,
            host: host,
            port: servicePort
        )
        let (api, orchestration, appServer) = try assembly.appAPI(
            definitions,
            handOver: DirectHandOver(admission: admission),
            host: host,
            port: appPort
        ) { Self.greet(base, secrets, definitions, folder: folder) }
        try await api.storeDefinitions()
        let worker = try assembly.worker(definitions.services)
        configuration.forgetEnvironment()
        // Stopped from the last to the first: the worker drains while its completions are still settled.
        let limit = ShutdownLimit(limit: worker.longestDrain, logger: telemetry.logger)
        try await assembly.run(tickets + orchestration + [worker, serviceServer, appServer, limit])
        // The folder is held until here.
        _ = consume dataFolder
    }

    private static func greet(_ base: String, _ secrets: DevSecrets, _ definitions: Definitions, folder: String) {
        Terminal.say("malla dev: App API at \(base), state in \(folder)")
        for (name, app) in definitions.apps.sorted(by: { $0.key < $1.key }) {
            Terminal.say("  \(base)/\(name)/call  methods: \(app.methods.keys.sorted().joined(separator: ", "))")
        }
        let shown = ["MARKETPLACE_TOKEN", "AI_SERVICE_TOKEN", "CALLBACK_SECRET"].filter(secrets.madeUp.contains)
        guard !shown.isEmpty else { return }
        Terminal.say("Tokens, made up now, kept in \(folder)/tokens.env and not shown again:")
        for name in shown { Terminal.say("  \(name)=\(secrets.values[name] ?? "")") }
    }
}
