// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import ArgumentParser

/// `malla-chaos report`: the figures of recorded runs.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Prints the figures of recorded runs as Markdown."
    )

    @Argument(help: "Files that `run` wrote.")
    var records = ["chaos/record.jsonl"]

    func run() throws {
        Output.say(CampaignReport(records: try records.flatMap(RecordFile.read)).text)
    }
}
