// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import MallaChaos

/// What is kept of runs: records, reports, histories, and the command that repeats one.
@Suite struct RecordTests {
    private static let settings = RunSettings(
        tasks: 7,
        faults: 2,
        only: "kill 'x'",
        seconds: 3.5,
        isRolling: false,
        clockJumps: false
    )

    private func record(_ seed: UInt64, _ only: String?, _ measured: [String: [Double]] = [:]) -> RunRecord {
        RunRecord(
            seed: seed,
            took: 1.5,
            verdicts: ["succeeded": 3],
            counts: ["jobs": 4],
            faults: ["kill worker": 1],
            measured: measured,
            contradictions: [],
            settings: only.map { RunSettings(only: $0) }
        )
    }

    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.path(percentEncoded: false) + "malla-records-\(MeshID())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test(
        arguments: [
            ("1", [1]), ("1 2 3", [1, 2, 3]), ("2 1 2-3 1", [2, 1, 3]), ("7,9-12", [7, 9, 10, 11, 12]), ("", nil),
            ("1-", nil), ("3-1", nil),
            ("x", nil), ("1-2-3", nil), ("-1", nil), ("18446744073709551615", [.max]), ("1-99999999999", nil),
            ("0-18446744073709551615", nil), ("1-1000001", nil), ("1-999999 1 2", nil),
            ("18446744073709551616", nil),
        ] as [(String, [UInt64]?)]
    )
    func seedsAreReadAsPeopleWriteThem(text: String, seeds: [UInt64]?) {
        #expect(SeedList.read(text) == seeds)
    }

    @Test func asManySeedsAsMayBeAreRead() {
        #expect(SeedList.read("1-1000000")?.count == 1_000_000)
        #expect(SeedList.read("1-999999 1000000")?.count == 1_000_000)
    }

    @Test func rangesAreWrittenShort() {
        #expect(CampaignReport.ranges([3, 1, 2, 7, 9, 10, 7]) == "1-3, 7, 9-10")
        #expect(CampaignReport.ranges([]) == "")
    }

    @Test func aRecordSurvivesItsFile() throws {
        try inFolder { folder in
            let file = try RecordFile(path: folder + "/deep/record.jsonl")
            let record = RunRecord(
                seed: .max,
                took: 1.5,
                verdicts: ["succeeded": 3],
                counts: ["jobs": 4],
                faults: ["kill worker": 1],
                measured: ["submit to end": [0.25, 0.5]],
                contradictions: ["rule: subject: \"finding\""],
                settings: Self.settings,
                version: "0.1.0"
            )
            try file.append(record)
            try RecordFile(path: file.path).append(record)
            let read = try RecordFile.read(file.path)
            #expect(read.count == 2 && read.allSatisfy { $0.json == record.json })
            #expect(read.allSatisfy { $0.settings == Self.settings && $0.version == "0.1.0" && $0.isIsolated })
            try Data("{\n".utf8).write(to: URL(filePath: file.path))
            #expect(throws: RecordFile.Damaged.self) { try RecordFile.read(file.path) }
        }
    }

    @Test func recordsOfBeforeSettingsWereKeptAreRead() throws {
        let line = """
            {"seed":"4","took":30,"verdicts":{"succeeded":100},"counts":{"jobs":500},"faults":{"kill worker":1},
            "measured":{"worker kill to next call":[4.5]},"contradictions":[]}
            """
        let old = try #require(RunRecord(try JSON(parsing: Array(line.utf8))))
        #expect(old.seed == 4 && old.settings == nil && old.version == nil && !old.isIsolated)
        #expect(CampaignReport(records: [old]).text.contains("| settings | not recorded (1) |"))
        #expect(RunRecord(old.json)?.settings == nil, "what is not known stays so when it is written again")
    }

    @Test func filesThatCannotBeUsedAreNamedWithTheReason() throws {
        func reason(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return "no error"
        }
        #expect(
            reason { _ = try RecordFile.read("/nowhere/record.jsonl") }
                == "can't read /nowhere/record.jsonl: No such file or directory"
        )
        #expect(reason { _ = try RecordFile.read("/tmp") } == "can't read /tmp: Is a directory")
        #expect(reason { _ = try RecordFile(path: "/tmp") } == "can't write /tmp: Is a directory")
        #expect(reason { _ = try RecordFile(path: "/dev/null/x/record.jsonl") }.hasPrefix("can't make /dev/null/x: "))
    }

    @Test func theReportHoldsTimesToTheirBars() {
        let measured = ["worker kill to next call": [4.0, 9.9], "cancel answered to handlers done": [0.1, 1.5]]
        let text = CampaignReport(records: [record(1, "kill worker", measured)]).text
        #expect(text.contains("## Times of faults that come alone (--only `kill worker`)"))
        #expect(!text.contains("all faults together"))
        #expect(text.contains("| worker kill to next call | 2 | 4.0 s | 9.9 s | 9.9 s | 10 s | yes |"))
        #expect(text.contains("| cancel answered to handlers done | 2 | 0.1 s | 1.5 s | 1.5 s | 1 s at p99 | **no** |"))
        #expect(text.contains("| RabbitMQ back to next call | 0 |  |  |  | 10 s | not measured |"))
    }

    @Test func faultsThatComeAloneAreNotMixedWithOthers() throws {
        let slow = ["worker kill to next call": [30.0], "submit to end": [2.0]]
        let report = CampaignReport(
            records: [
                record(1, "kill worker", ["worker kill to next call": [5.0]]), record(2, "", slow), record(3, nil),
            ]
        ).text
        let halves = report.split(separator: "## Times of all faults together")
        try #require(halves.count == 2)
        #expect(halves[0].contains("| worker kill to next call | 1 | 5.0 s | 5.0 s | 5.0 s | 10 s | yes |"))
        #expect(halves[1].contains("| worker kill to next call | 1 | 30.0 s | 30.0 s | 30.0 s | 10 s | **no** |"))
        #expect(halves[1].contains("| submit to end | 1 | 2.0 s | 2.0 s | 2.0 s |  |  |"))
        #expect(!halves[0].contains("submit to end"))
    }

    @Test func aBarIsForThePartThatItNames() {
        let bar = Bar(part: 0.99, seconds: 1)
        #expect(bar.holds(Percentiles([])) == nil)
        #expect(bar.holds(Percentiles(Array(repeating: 0.5, count: 99) + [7])) == true)
        #expect(bar.holds(Percentiles(Array(repeating: 0.5, count: 98) + [7, 7])) == false)
        #expect(bar.holds(Percentiles([1])) == true && bar.holds(Percentiles([1.001])) == false)
    }

    @Test func everyBarIsOfATimeThatIsMeasured() {
        let names = Measurements(CheckerRightHistory.make(9)).byName.keys
        #expect(Set(Bar.all.keys).isSubset(of: names))
    }

    @Test func aRunIsRepeatedByAShell() {
        let parts = ChaosPlace.Parts(binary: "/a b/malla", python: "/it's/python", version: nil)
        func text(_ settings: RunSettings) -> String {
            RepeatCommand(seed: 3, settings: settings, parts: parts, program: "/bin/malla-chaos").text
        }
        let end = "--malla '/a b/malla' --python '/it'\\''s/python'"
        #expect(
            text(Self.settings)
                == "/bin/malla-chaos run 3 --tasks 7 --faults 2 --seconds 3.5 --only 'kill '\\''x'\\''' "
                + "--no-clock-jumps \(end)"
        )
        var deploy = RunSettings.deploy(tasks: 9)
        deploy.clockJumps = true
        #expect(text(deploy) == "/bin/malla-chaos run 3 --tasks 9 --rolling \(end)")
    }

    @Test func theCommandThatRepeatsARunIsReadAsItsSettings() throws {
        let parts = ChaosPlace.Parts(binary: TestPrograms.malla, python: TestPrograms.python)
        let some = RunSettings(tasks: 7, faults: 2, only: "worker", seconds: 3.5, clockJumps: false)
        for settings in [some, .deploy(tasks: 9), RunSettings()] {
            let line = RepeatCommand(seed: 3, settings: settings, parts: parts, program: "malla-chaos").text
            let read = try RunCommand.parse(line.split(separator: " ").dropFirst(2).map(String.init))
            #expect(read.settings == settings && read.seeds == ["3"])
        }
    }

    @Test func aHistoryIsKeptWithAllThatItHolds() throws {
        try inFolder { folder in
            let history = CheckerRightHistory.make(9)
            let kept = KeptRuns(folder: folder)
            var record = RunRecord(history, took: 1, contradictions: ["rule: subject: finding"])
            record.settings = Self.settings
            try kept.write(record, history, again: "malla-chaos run 1")
            let path = kept.folder(of: history.seed)
            let findings = try String(contentsOfFile: path + "/contradictions.txt", encoding: .utf8)
            #expect(findings == "rule: subject: finding\n\nagain: malla-chaos run 1\n")
            let read = try JSON(parsing: try TextFile.contents(of: path + "/history.json"))
            #expect(read["calls"]?.array?.count == history.calls.count)
            #expect(read["rows"]?["jobs"]?.array == history.rows.jobs)
            #expect(read["callbacks"]?.array?.first?["at"]?.double == history.callbacks.first?.at)
            #expect(read["marks"]?.array?.first?["kind"]?.string == history.marks.first?.kind.rawValue)
            #expect(read["tasks"]?.array?.first?["payload"] == history.tasks.first?.payload)
            try kept.write(.brokenOff(seed: history.seed, took: 1, "gone"), nil, again: "")
            #expect(TextFile.read(path + "/history.json") == "null\n", "an earlier history is not this run's")
        }
    }

    @Test func faultsAreKeptWithTheirTimes() {
        let link = Link(from: .worker2, to: .server(.s3))
        let slow = Fault(kind: .slow, target: .link(link), at: 1, lasting: 2)
        let kill = Fault(kind: .kill, target: .role(.worker1), at: 3, lasting: 0.5)
        let json = ReflectedJSON.of([
            FaultRecord(fault: slow, began: 1001, ended: 1003), FaultRecord(fault: kill, began: 1003.5, ended: 1004),
        ])
        let first: JSON = [
            "fault": [
                "kind": "slow", "target": ["link": ["from": "worker-2", "to": ["server": "s3"]]],
                "at": 1, "lasting": 2,
            ],
            "began": 1001, "ended": 1003,
        ]
        #expect(json.array?.first == first)
        #expect(json.array?.last?["fault"]?["target"] == ["role": "worker-1"])
        let gone: [String: String?] = ["a": "hash", "b": nil]
        #expect(ReflectedJSON.of(gone) == ["a": "hash", "b": .null])
        #expect(ReflectedJSON.of(UInt64.max) == "18446744073709551615")
    }
}
