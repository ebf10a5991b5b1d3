// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import ArgumentParser

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// `malla-chaos soak`: a mixed load without faults for a long time, and what the mesh holds meanwhile.
struct SoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Runs a mixed load without faults and prints memory, files, rows and times of each minute.",
        discussion: """
            Every minute is a run of its own that is checked like any other. Exits with 1 when one contradicts itself, or
            when memory or open files grew over the last three quarters of the time.
            """
    )

    @Option(parsing: .unconditional, help: "How many minutes.")
    var minutes = 60

    @Option(parsing: .unconditional, help: "Tasks a second.")
    var rate = 10

    @OptionGroup var binaries: BinaryOptions

    func validate() throws {
        guard minutes > 0, rate > 0 else { throw ValidationError("--minutes and --rate must be above 0") }
    }

    func run() async throws {
        let folder = "/tmp/malla-soak-\(UUID().uuidString.prefix(8).lowercased())"
        let place = try await ChaosPlace.start(in: folder, try await binaries.parts(), keeping: "chaos/kept/soak")
        Output.say(SoakMinute.head)
        var wrong: [String] = []
        var looks: [SoakMinute] = []
        do {
            for minute in 1...minutes {
                let record = try await load(minute, on: place)
                let seen = try await SoakMinute(minute, of: place.mesh, record)
                Output.say(seen.row)
                for finding in record.contradictions { Output.say("minute \(minute): \(finding)") }
                looks.append(seen)
                wrong += record.contradictions
            }
        } catch {
            try await place.stop(keeping: "chaos/kept/soak")
            throw error
        }
        try await place.stop(keeping: wrong.isEmpty ? nil : "chaos/kept/soak")
        let trend = SoakTrend(looks)
        Output.say(trend.sentence)
        if !wrong.isEmpty { Output.say("\(wrong.count) contradictions; the logs are in chaos/kept/soak") }
        guard wrong.isEmpty, trend.grown.isEmpty else { throw ExitCode.failure }
    }

    /// A minute's load; what is left of the minute is idle.
    private func load(_ minute: Int, on place: ChaosPlace) async throws -> RunRecord {
        let began = ContinuousClock.now
        let seconds = 55.0
        let settings = RunSettings(tasks: Int(Double(rate) * seconds), faults: 0, seconds: seconds)
        let history = try await ChaosRun(mesh: place.mesh, receiver: place.receiver, settings: settings)
            .perform(seed: UInt64(minute), run: "soak")
        let took = (ContinuousClock.now - began) / Duration.seconds(1)
        let contradictions = Checker.contradictions(in: history).map(\.description)
        try await Task.sleep(until: began + .seconds(60))
        return RunRecord(history, took: took, contradictions: contradictions)
    }
}
