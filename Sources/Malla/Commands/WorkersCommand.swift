// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Workflow

/// Lists workers.
struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "List the workers that have beaten lately, their services, and what troubles them.",
        discussion: "The token is AI_SERVICE_TOKEN, else that of `malla dev` in the data folder MALLA_DATA (.malla)."
    )

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        let answer = try await makeServiceClient(options).ask("GET", "/api/v1/workers")
        guard !options.json else { return Terminal.print(answer) }
        let rows = (answer["workers"]?.array ?? []).map { worker in
            let running = worker["running"]?.int ?? 0
            let isSilent = worker["alive"]?.bool == false
            let state =
                isSilent ? "silent" : worker["draining"]?.bool == true ? "draining" : running > 0 ? "busy" : "idle"
            let services = (worker["services"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
            return Terminal.Row(
                cells: [
                    worker["name"]?.string ?? "", state, "\(running)/\(worker["slots"]?.int ?? 0)",
                    worker["beat_at"]?.string ?? "",
                ],
                notes: ["services: \(services)"] + Self.troubles(of: worker)
            )
        }
        Terminal.table(["WORKER", "STATE", "RUNNING", "LAST BEAT"], rows)
    }

    /// The last trouble of each service, a line each; its output is in the JSON.
    private static func troubles(of worker: JSON) -> [String] {
        (worker["trouble"]?.object?.members ?? []).compactMap { service, troubles in
            guard let last = troubles.array?.last, let message = last["message"]?.string else { return nil }
            return "trouble with \(service): \(message)"
        }
    }
}
