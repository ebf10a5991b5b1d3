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
            parts: ChaosPlace.Parts(binary: TestPrograms.malla, python: TestPrograms.python, version: "9.9"),
            base: folder + "/mesh",
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
            #expect(record.settings == RunSettings() && record.version == "9.9")
        }
        let report = CampaignReport(records: records).text
        #expect(report.contains("| runs | 3 |") && report.contains("| seeds | 3, 6, 8 |"))
        // What went wrong is kept for whoever reads the failure.
        if records.allSatisfy(\.contradictions.isEmpty) { try FileManager.default.removeItem(atPath: folder) }
    }
}
