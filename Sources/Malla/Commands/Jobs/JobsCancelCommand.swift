// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser

/// Cancel jobs that have not ended.
struct JobsCancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel jobs that have not ended.",
        discussion: "Name the jobs, or at least one filter; exits with 1 when one of the named jobs does not allow it."
    )

    @Argument(help: "The jobs' ids.")
    var ids: [String] = []

    @OptionGroup var filters: JobFilters
    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await JobsChange(verb: "cancel", done: "cancelled", ids: ids, filters: filters, options: options).run()
    }
}
