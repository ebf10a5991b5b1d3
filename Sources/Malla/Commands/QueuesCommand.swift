// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Workflow

/// Shows what waits and runs for each service.
struct QueuesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queues",
        abstract: "Show what waits and runs for each service, and who works on it.",
        discussion: "The token is AI_SERVICE_TOKEN, else that of `malla dev` in the data folder MALLA_DATA (.malla)."
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        let answer = try await makeServiceClient(options).ask("GET", "/api/v1/queues")
        guard !options.json else { return Terminal.print(answer) }
        let rows = (answer["queues"]?.array ?? []).map { queue in
            func number(_ name: String) -> String { queue[name]?.int.map { String($0) } ?? "?" }
            let isStuck = queue["workers"]?.int == 0 && (queue["due"]?.int ?? 0) > 0
            return Terminal.Row(
                cells: [
                    queue["service"]?.string ?? "", number("due"), number("later"), number("running"),
                    number("workers"), number("slots"), number("tickets"),
                ],
                notes: isStuck ? [Self.advice(for: queue)] : []
            )
        }
        Terminal.table(["SERVICE", "DUE", "LATER", "RUNNING", "WORKERS", "SLOTS", "TICKETS"], rows)
    }

    private static func advice(for queue: JSON) -> String {
        queue["remote"]?.bool == true
            ? "nobody works on it: its workers run elsewhere and claim over HTTP"
            : "nobody works on it: malla worker --service \(queue["service"]?.string ?? "")"
    }
}
