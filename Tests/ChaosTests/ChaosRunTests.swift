// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing

@testable import MallaChaos

/// The short campaign of every build; `make chaos` performs longer ones.
@Suite(.timeLimit(.minutes(8)), .enabled(if: InstalledServers.all, "RabbitMQ, PostgreSQL and Redis are not installed"))
struct ChaosRunTests {
    @Test func runsUnderFaultsContradictNothing() async throws {
        // Below /tmp: PostgreSQL runs as a user of its own there and must reach it.
        let folder = "/tmp/malla-chaos-\(MeshID())"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o711]
        )
        let seeds: [UInt64] = [3, 6, 8]
        let record = try RecordFile(path: folder + "/record.jsonl")
        let campaign = Campaign(
            seeds: seeds,
            settings: RunSettings(),
            parts: ChaosPlace.Parts(binary: TestPrograms.malla, python: TestPrograms.python),
            folder: folder,
            kept: folder + "/kept",
            record: record,
            say: { print($0) }
        )
        #expect(try await campaign.perform(meshes: 1) == 0)
        let records = try RecordFile.read(record.path)
        #expect(records.map(\.seed) == seeds)
        for record in records {
            #expect(record.contradictions.isEmpty, "seed \(record.seed): \(record.contradictions)")
            #expect(record.verdicts.values.reduce(0, +) == RunSettings().tasks)
            #expect(record.faults.values.reduce(0, +) == RunSettings().faults)
        }
        let report = CampaignReport(records: records).text
        #expect(report.contains("| runs | 3 |") && report.contains("| seeds | 3, 6, 8 |"))
        // What went wrong is kept for whoever reads the failure.
        if records.allSatisfy(\.contradictions.isEmpty) { try FileManager.default.removeItem(atPath: folder) }
    }

    @Test(
        arguments: [
            ("1", [1]), ("1 2 3", [1, 2, 3]), ("7,9-12", [7, 9, 10, 11, 12]), ("", nil), ("1-", nil), ("3-1", nil),
            ("x", nil),
            ("1-2-3", nil), ("-1", nil),
        ] as [(String, [UInt64]?)]
    )
    func seedsAreReadAsPeopleWriteThem(text: String, seeds: [UInt64]?) {
        #expect(SeedList.read(text) == seeds)
    }

    @Test func rangesAreWrittenShort() {
        #expect(CampaignReport.ranges([3, 1, 2, 7, 9, 10, 7]) == "1-3, 7, 9-10")
        #expect(CampaignReport.ranges([]) == "")
    }

    @Test func aRecordSurvivesItsFile() throws {
        let folder = FileManager.default.temporaryDirectory.path() + "malla-records-\(MeshID())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = try RecordFile(path: folder + "/record.jsonl")
        let record = RunRecord(
            seed: .max,
            took: 1.5,
            verdicts: ["succeeded": 3],
            counts: ["jobs": 4],
            faults: ["kill worker": 1],
            measured: ["submit to end": [0.25, 0.5]],
            contradictions: ["rule: subject: \"finding\""]
        )
        try file.append(record)
        try file.append(record)
        let read = try RecordFile.read(file.path)
        #expect(read.count == 2 && read.allSatisfy { $0.json == record.json })
        try Data("{\n".utf8).write(to: URL(filePath: file.path))
        #expect(throws: RecordFile.Damaged.self) { try RecordFile.read(file.path) }
    }
}
