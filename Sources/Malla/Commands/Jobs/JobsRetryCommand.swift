// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser

/// Run jobs again: failed ones anew, waiting ones at once, running ones elsewhere.
struct JobsRetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Run jobs again: failed ones anew, waiting ones at once, running ones elsewhere.",
        discussion: "Name the jobs, or at least one filter; exits with 1 when one of the named jobs does not allow it."
    )

    @Argument(help: "The jobs' ids.")
    var ids: [String] = []

    @OptionGroup var filters: JobFilters
    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await JobsChange(verb: "retry", done: "retried", ids: ids, filters: filters, options: options).run()
    }
}
