// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Workflow

/// Shows a user's numbers.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show a user's numbers: requests that succeeded, failed, wait and run.",
        discussion: "With --role admin: those of the --user, or of every user when none is named."
    )

    @Option(name: .long, help: "Only this app.")
    var app: String?

    @OptionGroup var user: UserOptions
    @OptionGroup var options: AppOptions

    func run() async throws {
        let client = try makeAppClient(options, user)
        var filter: JSON = [:]
        if user.role == .admin, let name = user.user { filter = ["userId": .string(name)] }
        let (status, answer) = try await client.send("POST", (app.map { "/\($0)" } ?? "") + "/stats", body: filter)
        guard status == 200, let response = answer["response"] else {
            Terminal.complain(answer["errorCode"]?["reason"]?.string ?? "the App API answered \(status)")
            throw ExitCode.refused(status)
        }
        guard !options.json else { return Terminal.print(answer) }
        for (name, value) in response.object?.members ?? [] where value.object == nil && value.array == nil {
            Terminal.say("\(name): \(String(decoding: value.bytes, as: UTF8.self))")
        }
        for (name, value) in response.object?.members ?? [] where value.object != nil || value.array != nil {
            Terminal.say("\(name):")
            Terminal.print(value)
        }
    }
}
