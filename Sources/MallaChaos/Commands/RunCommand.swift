// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import ArgumentParser

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// `malla-chaos run`: seeded runs on one mesh or several.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Performs seeded runs and checks each; exits with 1 when one contradicts itself."
    )

    @Argument(help: "Seeds: 1 2 3, or ranges such as 1-100.")
    var seeds: [String]

    @Option(help: "How many meshes run side by side.")
    var meshes = 1

    @Option(help: "Tasks of each run.")
    var tasks = RunSettings().tasks

    @Option(help: "Faults of each run.")
    var faults = RunSettings().faults

    @Option(help: "Only faults whose name has this part, such as 'kill worker' or 'rabbit'.")
    var only = ""

    @Option(help: "Over how many seconds tasks and faults are spread.")
    var seconds = RunSettings().seconds

    @Flag(help: "Restart every role in turn, as a deploy does, in place of random faults.")
    var rolling = false

    @Option(help: "The file that gets a line for each run.")
    var record = "chaos/record.jsonl"

    @Option(help: "The folder that keeps the logs of runs that went wrong.")
    var keep = "chaos/kept"

    @OptionGroup var binaries: BinaryOptions

    func validate() throws {
        let given = seeds.joined(separator: " ")
        guard SeedList.read(given) != nil else {
            throw ValidationError("seeds are whole numbers or ranges such as 1-100, not '\(given)'")
        }
        guard !FaultPlan.keys(only: only).isEmpty else {
            let names = FaultPlan.keys(only: "").map(\.description).joined(separator: ", ")
            throw ValidationError("no fault's name has '\(only)'; there are: \(names)")
        }
        guard meshes > 0, tasks >= 0, faults >= 0, seconds > 0 else {
            throw ValidationError("--meshes and --seconds must be above 0, --tasks and --faults not below")
        }
    }

    func run() async throws {
        guard let seeds = SeedList.read(seeds.joined(separator: " ")) else { return }
        let folder = "/tmp/malla-chaos-\(UUID().uuidString.prefix(8).lowercased())"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            // PostgreSQL runs as a user of its own and must reach its part.
            attributes: [.posixPermissions: 0o711]
        )
        var settings = RunSettings()
        (settings.tasks, settings.faults, settings.seconds, settings.isRolling) = (tasks, faults, seconds, rolling)
        settings.only = only
        if rolling { settings.seconds = FaultPlan.rollingSeconds }
        let campaign = Campaign(
            seeds: seeds,
            settings: settings,
            parts: try binaries.parts(),
            folder: folder,
            kept: keep,
            record: try RecordFile(path: record),
            say: Output.say
        )
        let wrong = try await campaign.perform(meshes: min(meshes, seeds.count))
        try FileManager.default.removeItem(atPath: folder)
        guard wrong == 0 else {
            Output.say("\(wrong) of \(seeds.count) runs went wrong; their logs are in \(keep)")
            throw ExitCode.failure
        }
        Output.say("\(seeds.count) runs, no contradiction")
    }
}
