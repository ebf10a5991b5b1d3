// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Plumbing
import Workflow

/// Shows a user's numbers.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show a user's numbers: requests that succeeded, failed, wait and run.",
        discussion:
            "With --role admin: those of the --user, or of all and of every user when none is named. FAILED includes "
            + "what timed out; MEDIAN and P95 are the times from the request to success."
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
        let users = response["users"]?.array ?? []
        let rows =
            Self.rows(response["userId"]?.string ?? "(all)", response)
            + users.flatMap { Self.rows($0["userId"]?.string, $0) }
        Terminal.table(["USER", "METHOD", "WAITING", "RUNNING", "DONE", "FAILED", "CANCELLED", "MEDIAN", "P95"], rows)
    }

    /// A row for each method of a user's numbers, or one that says that there are none.
    private static func rows(_ user: String?, _ numbers: JSON) -> [Terminal.Row] {
        let methods = numbers["methods"]?.object?.members ?? []
        return (methods.isEmpty ? [("-", numbers)] : methods).map { method, numbers in
            func count(_ name: String) -> String { numbers["numRequest" + name]?.int.map { String($0) } ?? "?" }
            func time(_ name: String) -> String {
                numbers["durationMs"]?[name]?.double.map { Quantity.text(.milliseconds($0)) } ?? "-"
            }
            return Terminal.Row(
                cells: [
                    user ?? "", method, count("Pending"), count("Running"), count("Success"), count("Failed"),
                    count("Cancelled"), time("p50"), time("p95"),
                ]
            )
        }
    }
}
