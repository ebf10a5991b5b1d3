// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import MallaTestKit
import Plumbing
import Synchronization
import Testing

@testable import MallaChaos

/// What becomes of a campaign when its meshes do not start, and of commands that are wrong.
@Suite struct CampaignTests {
    private static let parts = ChaosPlace.Parts(binary: TestPrograms.malla, python: TestPrograms.python)

    @Test func aMeshThatDoesNotStartIsRecordedAndTheOthersGoOn() async throws {
        let folder = "/tmp/malla-chaos-\(MeshID())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let record = try RecordFile(path: folder + "/record.jsonl")
        let said = Mutex<[String]>([])
        let campaign = Campaign(
            seeds: [1, 2, 3],
            settings: RunSettings(tasks: 5, only: "kill worker"),
            parts: Self.parts,
            // No folder can be made there.
            base: "/dev/null/mesh",
            kept: folder + "/kept",
            record: record,
            say: { line in said.withLock { $0.append(line) } }
        )
        let wrong = try await campaign.perform(meshes: 2)
        #expect(wrong == 3)
        let records = try RecordFile.read(record.path)
        #expect(Set(records.map(\.seed)) == [1, 2, 3])
        #expect(records.allSatisfy { $0.contradictions.first?.hasPrefix("the mesh did not start: ") == true })
        #expect(records.allSatisfy { $0.settings?.only == "kill worker" })
        let lines = said.withLock { $0 }
        #expect(lines.count == 3 && lines.allSatisfy { $0.contains("again: ") && $0.contains("--only 'kill worker'") })
        let kept = try String(contentsOfFile: folder + "/kept/seed-2/contradictions.txt", encoding: .utf8)
        #expect(kept.contains("the mesh did not start") && kept.contains("again: "))
    }

    @Test func aPlaceThatDoesNotStartKeepsItsLogsAndLeavesNoFolder() async throws {
        let folder = "/tmp/malla-chaos-\(MeshID())"
        let kept = folder + "-kept"
        defer { try? FileManager.default.removeItem(atPath: kept) }
        try MeshFolder.make(folder)
        // Where the definitions' folder must be.
        try TextFile.write("in the way", to: folder + "/definitions")
        try TextFile.write("said before", to: folder + "/rabbit.log")
        await #expect(throws: (any Error).self) {
            _ = try await ChaosPlace.start(in: folder, Self.parts, keeping: kept)
        }
        #expect(!FileManager.default.fileExists(atPath: folder))
        #expect(TextFile.read(kept + "/rabbit.log") == "said before")
    }

    @Test(
        arguments: [
            (["1-99999999999"], "at most 1000000"),
            (["1", "--tasks", "-1"], "--tasks and --faults not below"),
            (["1", "--seconds", "inf"], "must be above 0"),
            (["1", "--only", "nonsense"], "no fault's name has 'nonsense'"),
            (["1", "--only", "clock-jump", "--no-clock-jumps"], "no fault's name has 'clock-jump'"),
            (["1", "--rolling", "--faults", "3"], "--rolling has faults and times of its own"),
            (["1", "--rolling", "--only", ""], "--rolling has faults and times of its own"),
            (["1", "--malla", "/a b/malla"], "there is no executable /a b/malla;"),
            (["1", "--malla", "/tmp"], "there is no executable /tmp;"),
            (["1", "--python", "no-such-python"], "there is no executable no-such-python;"),
            (["1", "--python", "/no/such/python"], "there is no executable /no/such/python;"),
        ]
    )
    func wrongCommandsSayWhatIsWrong(words: [String], reason: String) {
        var words = words
        if !words.contains("--malla") { words += ["--malla", TestPrograms.malla] }
        if !words.contains("--python") { words += ["--python", TestPrograms.python] }
        do {
            _ = try RunCommand.parse(words)
            Issue.record("\(words) is no error")
        } catch {
            let said = RunCommand.message(for: error)
            #expect(said.contains(reason), "\(said)")
        }
    }

    @Test func aPythonThatDoesNotRunIsFoundAtOnce() async throws {
        let options = try BinaryOptions.parse(["--malla", TestPrograms.malla, "--python", "/bin/false"])
        await #expect(throws: MeshFailure.self) { _ = try await options.parts() }
        let right = try BinaryOptions.parse(["--malla", TestPrograms.malla, "--python", TestPrograms.python])
        let version = try await right.parts().version
        #expect(version?.isEmpty == false)
    }
}
