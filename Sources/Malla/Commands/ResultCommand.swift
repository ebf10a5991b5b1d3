// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser

/// Shows a task's result.
struct ResultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "result",
        abstract: "Show how a task stands, or its result; exit 1 when it failed."
    )

    @Argument(help: "The task's id.")
    var task: String

    @Flag(name: .long, help: "Wait for its end.")
    var wait = false

    @OptionGroup var user: UserOptions
    @OptionGroup var options: AppOptions

    func run() async throws {
        let watch = ResultWatch(client: try makeAppClient(options, user), app: nil, json: options.json)
        if wait { try await watch.wait(for: task) } else { try await watch.show(task) }
    }
}
