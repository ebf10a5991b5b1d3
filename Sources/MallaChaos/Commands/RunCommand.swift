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
        abstract: "Performs seeded runs and checks each; exits with 1 when one contradicts itself.",
        discussion: """
            EXAMPLES:
              malla-chaos run 1-1000 --meshes 4
              malla-chaos run 7 --tasks 40 --faults 3
              malla-chaos run 1-20 --only 'kill worker' --faults 1
              malla-chaos run 1 --rolling

            FAULTS, such as 'kill worker' or 'cut worker -> redis':
            \(faultNames)
            """
    )

    /// A line for each kind, with what it can happen to.
    private static var faultNames: String {
        let names = FaultPlan.keys(only: "").map { $0.description.split(separator: " ", maxSplits: 1) }
        let targets = Dictionary(grouping: names) { $0[0] }
        return targets.sorted { $0.key < $1.key }.map { kind, names in
            "  \(kind): " + names.compactMap { $0.dropFirst().first }.joined(separator: ", ")
        }.joined(separator: "\n")
    }

    @Argument(help: "Seeds: 1 2 3, or ranges such as 1-100.")
    var seeds: [String]

    @Option(parsing: .unconditional, help: "How many meshes run side by side.")
    var meshes = 1

    @Option(parsing: .unconditional, help: "Tasks of each run.")
    var tasks = RunSettings().tasks

    @Option(parsing: .unconditional, help: "Faults of each run (default: \(RunSettings().faults)).")
    var faults: Int?

    @Option(help: "Only faults whose name has this part, such as 'kill worker' or 'rabbit'.")
    var only: String?

    @Option(
        parsing: .unconditional,
        help: "Over how many seconds tasks and faults are spread (default: \(RunSettings().seconds))."
    )
    var seconds: Double?

    @Flag(help: "Restart every role in turn, as a deploy does, in place of random faults.")
    var rolling = false

    @Flag(help: "Leave clocks alone, as where there is no C compiler: it makes another plan of a seed.")
    var noClockJumps = false

    @Option(help: "The file that gets a line for each run.")
    var record = "chaos/record.jsonl"

    @Option(help: "Where runs that went wrong leave logs, findings and history, each in seed-N.")
    var keep = "chaos/kept"

    @OptionGroup var binaries: BinaryOptions

    /// How large each run is.
    var settings: RunSettings {
        var settings = rolling ? RunSettings.deploy(tasks: tasks) : RunSettings()
        settings.tasks = tasks
        settings.faults = faults ?? settings.faults
        settings.seconds = seconds ?? settings.seconds
        settings.only = only ?? ""
        if noClockJumps { settings.clockJumps = false }
        return settings
    }

    func validate() throws {
        let given = seeds.joined(separator: " ")
        guard SeedList.read(given) != nil else {
            throw ValidationError(
                "seeds are whole numbers or ranges such as 1-100, at most \(SeedList.most) of them, not '\(given)'"
            )
        }
        guard !FaultPlan.keys(only: settings.only, clockJumps: settings.clockJumps).isEmpty else {
            throw ValidationError("no fault's name has '\(settings.only)'; `run --help` lists them")
        }
        guard !rolling || (faults == nil && only == nil && seconds == nil) else {
            throw ValidationError("--rolling has faults and times of its own: leave --faults, --only and --seconds out")
        }
        guard meshes > 0, tasks >= 0, settings.faults >= 0, settings.seconds > 0, settings.seconds.isFinite else {
            throw ValidationError("--meshes and --seconds must be above 0, --tasks and --faults not below")
        }
    }

    func run() async throws {
        guard let seeds = SeedList.read(seeds.joined(separator: " ")) else { return }
        let campaign = Campaign(
            seeds: seeds,
            settings: settings,
            parts: try await binaries.parts(),
            base: "/tmp/malla-chaos-\(UUID().uuidString.prefix(8).lowercased())",
            kept: keep,
            record: try RecordFile(path: record),
            say: Output.say
        )
        let wrong = try await campaign.perform(meshes: min(meshes, seeds.count))
        guard wrong == 0 else {
            Output.say("\(wrong) of \(seeds.count) runs went wrong; what is left of them is in \(keep)")
            throw ExitCode.failure
        }
        Output.say(seeds.count == 1 ? "1 run, no contradiction" : "\(seeds.count) runs, no contradiction")
    }
}
