// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Ledger

/// Brings the database's schema up to date.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the ledger's schema up to date; safe to run twice and at once."
    )

    func run() async throws {
        let configuration = MeshConfiguration()
        try await reportingConfiguration {
            try configuration.check()
            let telemetry = try Telemetry.start(role: "migrate", configuration: configuration, format: .text)
            let ledger = try ServersWiring.makeLedger(configuration: configuration, logger: telemetry.logger)
            do {
                try await ledger.migrate()
            } catch {
                await ledger.close()
                Terminal.complain("the ledger can't be migrated: \(error)")
                throw ExitCode.unreachable
            }
            await ledger.close()
            print("the ledger's schema is up to date")
        }
    }
}

/// Runs a command's body and turns a wrong configuration into a message and its exit code.
func reportingConfiguration(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as ConfigurationError {
        Terminal.complain(error.description)
        throw ExitCode.misconfigured
    }
}
