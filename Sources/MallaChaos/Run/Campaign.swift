// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization

/// Many runs on several meshes side by side; each run's record is a line of a file.
final class Campaign: Sendable {
    private let settings: RunSettings
    private let parts: ChaosPlace.Parts
    /// What the paths of the meshes' folders begin with.
    private let base: String
    private let kept: KeptRuns
    private let seeds: Mutex<ArraySlice<UInt64>>
    private let record: RecordFile
    private let say: @Sendable (String) -> Void

    /// Prepares the runs of these seeds.
    init(
        seeds: [UInt64],
        settings: RunSettings,
        parts: ChaosPlace.Parts,
        base: String,
        kept: String,
        record: RecordFile,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.seeds = Mutex(seeds[...])
        self.settings = settings
        self.parts = parts
        self.base = base
        self.kept = KeptRuns(folder: kept)
        self.record = record
        self.say = say
    }

    /// Performs all runs on so many meshes; returns how many went wrong.
    ///
    /// - Throws: when a record could not be written; runs that go wrong and meshes that do not start are recorded.
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
        while !Task.isCancelled, let seed = seeds.withLock({ $0.popFirst() }) {
            if place == nil {
                generation += 1
                let began = ContinuousClock.now
                do {
                    place = try await ChaosPlace.start(
                        in: "\(base)-\(number)-\(generation)",
                        parts,
                        keeping: kept.folder(of: seed)
                    )
                } catch {
                    wrong += 1
                    try finish(Self.brokenOff(seed, began, "the mesh did not start: \(error)"), nil)
                    continue
                }
            }
            guard let current = place else { continue }
            let (result, history) = await run(seed, "\(number)\(generation)", on: current)
            if !result.contradictions.isEmpty {
                wrong += 1
                place = nil
                await stop(current, keeping: kept.folder(of: seed))
            }
            try finish(result, history)
        }
        if let place { await stop(place) }
        return wrong
    }

    private func run(_ seed: UInt64, _ run: String, on place: ChaosPlace) async -> (RunRecord, History?) {
        let began = ContinuousClock.now
        do {
            let history = try await ChaosRun(mesh: place.mesh, receiver: place.receiver, settings: settings)
                .perform(seed: seed, run: run)
            let took = (ContinuousClock.now - began) / Duration.seconds(1)
            let contradictions = Checker.contradictions(in: history).map(\.description)
            return (RunRecord(history, took: took, contradictions: contradictions), history)
        } catch {
            return (Self.brokenOff(seed, began, "the run broke off: \(error)"), nil)
        }
    }

    private static func brokenOff(_ seed: UInt64, _ began: ContinuousClock.Instant, _ reason: String) -> RunRecord {
        .brokenOff(seed: seed, took: (ContinuousClock.now - began) / Duration.seconds(1), reason)
    }

    /// A mesh that can't be stopped ends with the harness, by its guardian: no reason to end the other runs.
    private func stop(_ place: ChaosPlace, keeping kept: String? = nil) async {
        do { try await place.stop(keeping: kept) } catch { say("\(place.mesh.folder) was not removed: \(error)") }
    }

    /// Records and tells how a run went.
    private func finish(_ result: RunRecord, _ history: History?) throws {
        var result = result
        (result.settings, result.version) = (settings, parts.version)
        try record.append(result)
        let ends = result.verdicts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        let faults = result.faults.keys.sorted().joined(separator: ", ")
        var lines = ["seed \(result.seed): \(Int(result.took.rounded())) s, \(ends); \(faults)"]
        if !result.contradictions.isEmpty {
            let again = RepeatCommand(seed: result.seed, settings: settings, parts: parts, program: OwnProgram.path)
            lines += result.contradictions.map { "    \($0)" } + ["    again: \(again.text)"]
            try kept.write(result, history, again: again.text)
        }
        say(lines.joined(separator: "\n"))
    }
}
