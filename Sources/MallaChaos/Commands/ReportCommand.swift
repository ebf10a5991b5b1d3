// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import ArgumentParser

/// `malla-chaos report`: the figures of recorded runs.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Prints the figures of recorded runs as Markdown.",
        discussion: """
            Times have the bars that they are held to, where there is one. Whether recovery keeps to its bar can be said \
            where faults come alone, so runs with --only have a table of their own:

              malla-chaos run 1-20 --only 'kill worker' --faults 1 --record alone.jsonl
              malla-chaos report alone.jsonl
            """
    )

    @Argument(help: "Files that `run` wrote.")
    var records = ["chaos/record.jsonl"]

    func run() throws {
        let read = try records.flatMap(RecordFile.read)
        guard !read.isEmpty else { throw MeshFailure("no run is recorded in \(records.joined(separator: ", "))") }
        Output.say(CampaignReport(records: read).text)
    }
}
