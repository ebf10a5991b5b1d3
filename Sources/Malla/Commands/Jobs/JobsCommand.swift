// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser

/// The commands about jobs.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List, show, retry, cancel and watch jobs.",
        discussion: "The token is AI_SERVICE_TOKEN, else that of `malla dev` in the data folder MALLA_DATA (.malla).",
        subcommands: [
            JobsListCommand.self, JobsShowCommand.self, JobsRetryCommand.self, JobsCancelCommand.self,
            JobsWatchCommand.self,
        ],
        defaultSubcommand: JobsListCommand.self
    )
}
