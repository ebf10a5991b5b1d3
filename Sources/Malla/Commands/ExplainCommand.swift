// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Plumbing
import Workflow

/// Says why a job or a task is not done.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say why a job or a task is where it is, and what to do.",
        discussion: "The token is AI_SERVICE_TOKEN, else that of `malla dev` in the data folder MALLA_DATA (.malla)."
    )

    @Argument(help: "The id of a job or a task.")
    var id: String

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        let answer = try await makeServiceClient(options).ask("GET", "/api/v1/jobs/\(pathPart(id))/explain")
        guard !options.json else { return Terminal.print(answer) }
        let since = answer["since"]?.string.flatMap { Timestamp(rfc3339: $0) }.map { Quantity.text(.now - $0) }
        let kind = answer["kind"]?.string ?? "job"
        Terminal.say("\(kind) \(id)  \(answer["status"]?.string ?? "?")" + (since.map { ", for \($0)" } ?? ""))
        Terminal.paragraph(answer["explanation"]?.string ?? "")
        showStages(answer)
        for part in [answer] + (answer["jobs"]?.array ?? []) {
            showWorkers(part)
            showAttempts(part)
        }
        for (server, reason) in answer["servers_down"]?.object?.members ?? [] {
            Terminal.say("\(server) does not answer: \(reason.string ?? "")")
        }
    }

    private func showStages(_ answer: JSON) {
        let stages = answer["stages"]?.array ?? []
        guard !stages.isEmpty else { return }
        Terminal.say("")
        Terminal.table(
            ["STAGE", "STATUS", "DONE", "FAILED", "RUN", "WAIT"],
            stages.map { stage in
                func number(_ name: String) -> String { "\(stage[name]?.int ?? 0)" }
                return Terminal.Row(cells: [
                    stage["stage"]?.string ?? "", stage["status"]?.string ?? "",
                    "\(number("succeeded"))/\(number("total"))", number("failed"), number("running"), number("waiting"),
                ])
            }
        )
    }

    private func showWorkers(_ answer: JSON) {
        let workers = answer["workers"]?.array ?? []
        guard !workers.isEmpty else { return }
        Terminal.say("")
        Terminal.table(
            ["WORKER", "STATE", "RUNNING", "HEARD OF"],
            workers.map { worker in
                let beat = worker["beat_at"]?.string.flatMap { Timestamp(rfc3339: $0) }
                let state =
                    worker["alive"]?.bool == false
                    ? "silent" : worker["draining"]?.bool == true ? "draining" : "alive"
                let troubles = (worker["trouble"]?.array ?? []).suffix(1).flatMap { trouble in
                    ["\(trouble["at"]?.string ?? "") \(trouble["message"]?.string ?? "")"]
                        + (trouble["output"]?.string ?? "").split(whereSeparator: \.isNewline).suffix(8).map {
                            "| \($0)"
                        }
                }
                return Terminal.Row(
                    cells: [
                        worker["name"]?.string ?? "", state,
                        "\(worker["running"]?.int ?? 0)/\(worker["slots"]?.int ?? 0)",
                        beat.map { "\(Quantity.text(.now - $0)) ago" } ?? "",
                    ],
                    notes: Array(troubles)
                )
            }
        )
    }

    private func showAttempts(_ answer: JSON) {
        let attempts = answer["attempts"]?.array ?? []
        guard !attempts.isEmpty else { return }
        Terminal.say("")
        Terminal.table(
            ["ATTEMPT", "ENDED", "HOW", "WORKER"],
            attempts.map { attempt in
                Terminal.Row(
                    cells: [
                        "\(attempt["attempt"]?.int ?? 0)", attempt["ended_at"]?.string ?? "",
                        attempt["outcome"]?.string ?? "", attempt["worker_id"]?.string ?? "",
                    ],
                    notes: attempt["error"]?["message"]?.string.map { [$0] } ?? []
                )
            }
        )
    }
}
