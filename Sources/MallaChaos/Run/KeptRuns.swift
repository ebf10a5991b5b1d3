// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What is kept of runs that went wrong: a folder for each, named after its seed.
struct KeptRuns: Sendable {
    /// Where the folders are.
    let folder: String

    /// The folder of a seed's run, in the place of an earlier run of the same seed.
    func folder(of seed: UInt64) -> String { "\(folder)/seed-\(seed)" }

    /// Writes what was found, and all that is known of the run beside its logs.
    ///
    /// - Parameters:
    ///   - history: goes into `history.json`: the tasks, clients' calls, handlers' marks, arrivals, rows and faults with
    ///     their times; nil when the run broke off.
    ///   - again: the command that repeats the run.
    /// - Throws: ``MeshFailure`` when a file can't be written.
    func write(_ record: RunRecord, _ history: History?, again: String) throws(MeshFailure) {
        let folder = folder(of: record.seed)
        try TextFile.makeFolder(folder)
        let findings = record.contradictions.joined(separator: "\n")
        try TextFile.write("\(findings)\n\nagain: \(again)\n", to: folder + "/contradictions.txt")
        try TextFile.write(record.json.text + "\n", to: folder + "/record.json")
        // An earlier run's history must not be taken for this one's.
        let known = history.map { ReflectedJSON.of($0).text } ?? "null"
        try TextFile.write(known + "\n", to: folder + "/history.json")
    }
}
