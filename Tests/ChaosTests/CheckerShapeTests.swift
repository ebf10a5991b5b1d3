// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@testable import MallaChaos

/// The shapes of data that one kind of task alone has, whole and broken.
@Suite struct CheckerShapeTests {
    private static let rules: Set<String> = [Rule.dataAreWhole.rawValue, Rule.inputIsWhole.rawValue]

    private func broken(_ change: (inout History) -> Void) -> Set<String> {
        var history = CheckerRightHistory.make(9)
        change(&history)
        return history.broken.intersection(Self.rules)
    }

    /// The second item of `k1` failed and enough others did not.
    private static func quorum(_ history: inout History) {
        history.plan("k1", method: "quorum", payload: ["items": [1, 2, 3]])
        history.set(\.jobs, "k1-items1", ["state": "failed", "result": .null])
        history.items("t-k1") { $0[1] = .null }
        history.data("t-k1") { $0[member: "failed"] = [["index": 1, "category": "handler", "message": "m"]] }
        history.from("k1-last-1") { .array([$0.array?[0] ?? .null, .null, $0.array?[2] ?? .null]) }
    }

    @Test func aQuorumLacksItsFailedItems() {
        let (data, input) = (Rule.dataAreWhole.rawValue, Rule.inputIsWhole.rawValue)
        #expect(broken(Self.quorum) == [])
        func spoilt(_ change: (inout History) -> Void) -> Set<String> {
            broken { history in
                Self.quorum(&history)
                change(&history)
            }
        }
        #expect(spoilt { $0.items("t-k1") { $0[0] = .null } } == [data])
        #expect(spoilt { $0.items("t-k1") { $0.remove(at: 1) } } == [data])
        #expect(spoilt { $0.data("t-k1") { $0[member: "failed"] = [] } } == [data])
        #expect(spoilt { $0.data("t-k1") { $0[member: "failed"] = [["index": 2]] } } == [data])
        #expect(spoilt { $0.from("k1-last-1") { .array(($0.array ?? []).filter { $0 != .null }) } } == [input])
    }

    @Test(arguments: ["left", "right", "none"])
    func aBranchNotTakenIsNull(branch: String) {
        func made(_ change: (inout History) -> Void = { _ in }) -> Set<String> {
            broken { history in
                // The stage `first` of `k0` becomes the branch that was taken, and with none its job is gone.
                history.plan("k0", method: "branch", payload: ["branch": .string(branch)])
                history.set(\.jobs, "k0-first", ["name": .string(branch)])
                if branch == "none" { history.rows.jobs.removeAll { $0["id"]?.string == "k0-first" } }
                let taken: JSON = branch == "none" ? .null : "k0-first-1"
                history.data("t-k0") { data in
                    let answer = data["first"] ?? .null
                    data = [
                        "left": branch == "left" ? answer : .null, "right": branch == "right" ? answer : .null,
                        "last": data["last"] ?? .null,
                    ]
                }
                history.from("k0-last-1") { _ in branch == "right" ? [.null, taken] : [taken, .null] }
                change(&history)
            }
        }
        #expect(made() == [])
        #expect(made { $0.from("k0-last-1") { _ in "k0-first-1" } } == [Rule.inputIsWhole.rawValue])
        #expect(
            made { $0.data("t-k0") { $0 = ["left": $0["right"] ?? .null, "right": $0["left"] ?? .null] } }
                == [Rule.dataAreWhole.rawValue]
        )
    }

    @Test func aHybridAnswerHasItsMedia() {
        func made(_ media: String) -> Set<String> {
            broken { history in
                history.data("t-k0") { data in
                    let media = (try? JSON(parsing: media)) ?? .null
                    data = [["dataType": "META_DATA", "data": data], ["dataType": "S3_OBJECT", "data": media]]
                }
            }
        }
        #expect(made("\"s3://bucket/derived.bin\"") == [])
        #expect(made("null") == [Rule.dataAreWhole.rawValue])
    }

    @Test func aLargeAnswerMayStandForItself() {
        // Of the method `big` the data hold the nonce alone, and the row no result.
        func made(_ nonce: String) -> Set<String> {
            broken { history in
                history.set(\.jobs, "k0-first", ["result": .null])
                history.data("t-k0") { $0[member: "first"] = ["nonce": .string(nonce)] }
            }
        }
        #expect(made("k0-first-1") == [])
        #expect(made("k0-last-1") == [Rule.dataAreWhole.rawValue])
    }

    @Test func noItemsAreAnEmptyList() {
        func made(_ items: JSON) -> Set<String> {
            broken { history in
                history.plan("k1", method: "fan", payload: ["items": []])
                history.rows.jobs.removeAll { $0["name"]?.string == "items" && $0["task"]?.string == "t-k1" }
                history.data("t-k1") { $0[member: "items"] = items }
                history.from("k1-last-1") { _ in [] }
            }
        }
        #expect(made([]) == [])
        #expect(made(.null) == [Rule.dataAreWhole.rawValue])
    }
}

extension History {
    /// Changes what was planned of a task.
    mutating func plan(_ key: String, method: String, payload: JSON) {
        tasks = tasks.map { task in
            guard task.key == key else { return task }
            return PlannedTask(
                key: key,
                user: task.user,
                method: method,
                payload: payload,
                at: task.at,
                cancelAfter: task.cancelAfter,
                deadline: task.deadline,
                verdicts: task.verdicts,
                receiverIsGone: task.receiverIsGone
            )
        }
        set(\.tasks, "t-\(key)", ["method": .string(method)])
    }
}
