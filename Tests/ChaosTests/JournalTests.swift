// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Testing
import Workflow

@testable import MallaChaos

@Suite struct JournalTests {
    @Test func marksComeByTimeAndAProcessKeepsItsOrder() throws {
        try inFolder { folder in
            try Self.write(folder, "2.jsonl", Self.line("began", 2, "b") + Self.line("answered", 4, "b"))
            try Self.write(folder, "1.jsonl", Self.line("began", 3, "a") + Self.line("failed", 3, "a"))
            try Self.write(folder, "other.txt", "not a journal")
            let marks = try HandlerJournal.read(folder)
            #expect(marks.map(\.nonce) == ["b", "a", "a", "b"])
            #expect(marks.map(\.kind) == [.began, .began, .failed, .answered])
            #expect(marks[0].item == 3 && marks[0].key == "k" && marks[0].attempt == 1 && marks[0].process == 9)
            #expect(marks.allSatisfy { $0.worker == "worker-2" })
            #expect(marks[3].answer["nonce"]?.string == "b" && marks[0].answer == .null)
        }
    }

    @Test(arguments: [1, 40, 100])
    func aTornLastLineIsLeftOut(length: Int) throws {
        try inFolder { folder in
            let whole = Self.line("began", 1, "a")
            try Self.write(folder, "1.jsonl", whole + String(Self.line("answered", 2, "a").prefix(length)))
            #expect(try HandlerJournal.read(folder).map(\.kind) == [.began])
        }
    }

    @Test func aLastLineThatOnlyLacksItsEndCounts() throws {
        try inFolder { folder in
            try Self.write(folder, "1.jsonl", String(Self.line("began", 1, "a").dropLast()))
            #expect(try HandlerJournal.read(folder).count == 1)
        }
    }

    @Test(arguments: ["{\"kind\": \"beg", "{}", "{\"kind\": \"danced\"}", "x"])
    func anyOtherDamageIsAnError(damage: String) throws {
        try inFolder { folder in
            try Self.write(folder, "1.jsonl", damage + "\n" + Self.line("began", 1, "a"))
            #expect(throws: HandlerJournal.Damaged.self) { try HandlerJournal.read(folder) }
            try Self.write(folder, "1.jsonl", Self.line("began", 1, "a") + damage + "\n")
            #expect(throws: HandlerJournal.Damaged.self) { try HandlerJournal.read(folder) }
        }
    }

    @Test func nothingIsNoMark() throws {
        #expect(try HandlerJournal.read("/nowhere/\(MeshID())").isEmpty)
        try inFolder { folder in
            try Self.write(folder, "1.jsonl", "")
            #expect(try HandlerJournal.read(folder).isEmpty)
        }
    }

    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-journal-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private static func write(_ folder: String, _ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: folder + "/" + name))
    }

    private static func line(_ kind: String, _ at: Double, _ nonce: String) -> String {
        let answer = kind == "answered" ? #"{"nonce": "\#(nonce)"}"# : "null"
        return #"{"kind": "\#(kind)", "at": \#(at), "key": "k", "stage": "s", "item": 3, "job": "j", "attempt": 1, "#
            + #""nonce": "\#(nonce)", "answer": \#(answer), "process": 9, "worker": "worker-2"}"# + "\n"
    }
}
