// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization
internal import Workflow

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Many runs on several meshes side by side; each run's record is a line of a file.
final class Campaign: Sendable {
    private let settings: RunSettings
    private let parts: ChaosPlace.Parts
    /// Where the meshes' folders are made.
    private let folder: String
    /// Where the logs of runs go that went wrong.
    private let kept: String
    private let seeds: Mutex<ArraySlice<UInt64>>
    private let record: RecordFile
    private let say: @Sendable (String) -> Void

    /// Prepares the runs of these seeds.
    init(
        seeds: [UInt64],
        settings: RunSettings,
        parts: ChaosPlace.Parts,
        folder: String,
        kept: String,
        record: RecordFile,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.seeds = Mutex(seeds[...])
        self.settings = settings
        self.parts = parts
        self.folder = folder
        self.kept = kept
        self.record = record
        self.say = say
    }

    /// Performs all runs on so many meshes; returns how many went wrong.
    func perform(meshes: Int) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<meshes { group.addTask { try await self.work(number) } }
            return try await group.reduce(0, +)
        }
    }

    /// One mesh after the other: a run that went wrong leaves its mesh behind, and the next begins with a new one.
    private func work(_ number: Int) async throws -> Int {
        var wrong = 0
        var place: ChaosPlace?
        var generation = 0
        while let seed = seeds.withLock({ $0.popFirst() }), !Task.isCancelled {
            if place == nil {
                generation += 1
                place = try await ChaosPlace.start(in: "\(folder)/mesh-\(number)-\(generation)", parts)
            }
            guard let current = place else { continue }
            let result = await run(seed, "\(number)\(generation)", on: current)
            try record.append(result)
            tell(result)
            guard !result.contradictions.isEmpty else { continue }
            wrong += 1
            let kept = "\(kept)/seed-\(seed)"
            try await current.stop(keeping: kept)
            try Data((result.contradictions.joined(separator: "\n") + "\n").utf8)
                .write(to: URL(filePath: kept + "/contradictions.txt"))
            place = nil
        }
        try await place?.stop()
        return wrong
    }

    private func run(_ seed: UInt64, _ run: String, on place: ChaosPlace) async -> RunRecord {
        let began = ContinuousClock.now
        func seconds() -> Double { (ContinuousClock.now - began) / Duration.seconds(1) }
        do {
            let history = try await ChaosRun(mesh: place.mesh, receiver: place.receiver, settings: settings)
                .perform(seed: seed, run: run)
            let contradictions = Checker.contradictions(in: history).map(\.description)
            return RunRecord(history, took: seconds(), contradictions: contradictions)
        } catch {
            return RunRecord(
                seed: seed,
                took: seconds(),
                verdicts: [:],
                counts: [:],
                faults: [:],
                measured: [:],
                contradictions: ["the run broke off: \(error)"]
            )
        }
    }

    private func tell(_ result: RunRecord) {
        let ends = result.verdicts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        let faults = result.faults.keys.sorted().joined(separator: ", ")
        let took = Int(result.took.rounded())
        say("seed \(result.seed): \(took) s, \(ends); \(faults)")
        for line in result.contradictions { say("    \(line)") }
    }
}
