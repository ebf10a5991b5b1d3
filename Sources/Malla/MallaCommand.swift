// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Plumbing

/// The one binary: every role of the mesh, and the commands for people.
@main
struct MallaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "malla",
        abstract: "A mesh that turns AI models into services.",
        discussion: """
            Roles read their settings from the environment; .env.example lists every variable with its meaning.

            Exit codes: 0 all is well; 1 a task failed or a request was refused; 64 the command line is wrong; \
            69 a server can't be reached; 78 the configuration or a definition is wrong.
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Run the mesh",
                subcommands: [
                    DevCommand.self, AppAPICommand.self, ServiceAPICommand.self, WorkerCommand.self,
                    MigrateCommand.self, CheckCommand.self,
                ]
            ),
            CommandGroup(
                name: "Use the mesh",
                subcommands: [
                    CallCommand.self, ResultCommand.self, StatsCommand.self, JobsCommand.self, ExplainCommand.self,
                    QueuesCommand.self, WorkersCommand.self,
                ]
            ),
        ]
    )

    static func main() async {
        Allocator.returnFreedMemory()
        await main(nil)
    }
}

/// Exit codes for scripts, from sysexits.h where one fits.
extension ExitCode {
    /// A server can't be reached (EX_UNAVAILABLE).
    static let unreachable = ExitCode(69)
    /// The configuration or a definition is wrong (EX_CONFIG).
    static let misconfigured = ExitCode(78)
}
