// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Workflow

/// Lists workers.
struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "List the workers that have beaten lately, and what troubles them."
    )

    @OptionGroup var options: PeopleOptions

    func run() async throws {
        let (code, answer) = try await makeServiceClient(options).send("GET", "/api/v1/workers")
        guard code == 200 else {
            Terminal.complain(answer["detail"]?.string ?? "the Service API answered \(code)")
            throw ExitCode.failure
        }
        guard !options.json else { return Terminal.print(answer) }
        let rows = (answer["workers"]?.array ?? []).map { worker in
            let running = worker["running"]?.int ?? 0
            let state = worker["draining"]?.bool == true ? "draining" : running > 0 ? "busy" : "idle"
            return [
                worker["name"]?.string ?? "", state, "\(running)/\(worker["slots"]?.int ?? 0)",
                worker["beat_at"]?.string ?? "",
                (worker["services"]?.array ?? []).compactMap(\.string).joined(separator: ","),
            ]
        }
        Terminal.table(["WORKER", "STATE", "RUNNING", "LAST BEAT", "SERVICES"], rows)
    }
}
