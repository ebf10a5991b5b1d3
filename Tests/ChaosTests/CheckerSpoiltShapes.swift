// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

@testable import MallaChaos

extension SpoiltHistory {
    /// Answers that are lost, doubled or not in their place.
    static let shapes: [SpoiltHistory] = [
        SpoiltHistory(.dataAreWhole, "no items") { $0.data("t-k1") { $0[member: "items"] = [] } },
        SpoiltHistory(.dataAreWhole, "null for the items") { $0.data("t-k1") { $0[member: "items"] = .null } },
        SpoiltHistory(.dataAreWhole, "an item missing") { history in
            history.data("t-k1") { data in data[member: "items"] = .array((data["items"]?.array ?? []).dropLast()) }
        },
        SpoiltHistory(.dataAreWhole, "an item null") { $0.items("t-k1") { $0[1] = .null } },
        SpoiltHistory(.dataAreWhole, "an item twice") { $0.items("t-k1") { $0[1] = $0[0] } },
        SpoiltHistory(.dataAreWhole, "an item too many") { $0.items("t-k1") { $0.append($0[0]) } },
        SpoiltHistory(.dataAreWhole, "two items exchanged") { $0.items("t-k1") { $0.swapAt(0, 2) } },
        SpoiltHistory(.dataAreWhole, "one stage's answer as another's") { history in
            history.data("t-k0") { data in data[member: "first"] = data["last"] ?? .null }
        },
        SpoiltHistory(.dataAreWhole, "a stage missing") { $0.data("t-k0") { $0 = ["first": $0["first"] ?? .null] } },
        SpoiltHistory(.dataAreWhole, "a stage null") { $0.data("t-k0") { $0[member: "last"] = .null } },
        SpoiltHistory(.dataAreWhole, "a stage that there is not") { history in
            history.data("t-k0") { $0[member: "third"] = $0["last"] ?? .null }
        },
        SpoiltHistory(.dataAreWhole, "no object") { $0.set(\.tasks, "t-k0", ["output": "7"]) },
        SpoiltHistory(.dataAreWhole, "no answers beside media") {
            $0.set(\.tasks, "t-k0", ["output": "[{\"dataType\":\"S3_OBJECT\",\"data\":\"s3://a/b\"}]"])
        },
        SpoiltHistory(.inputIsWhole, "nothing") { $0.from("k0-last-1") { _ in .null } },
        SpoiltHistory(.inputIsWhole, "another stage's answer") { $0.from("k0-last-1") { _ in "k7-first-1" } },
        SpoiltHistory(.inputIsWhole, "a list of one") { $0.from("k0-last-1") { [$0] } },
        SpoiltHistory(.inputIsWhole, "an answer where none was wanted") {
            $0.from("k0-first-1") { _ in "k0-first-1" }
        },
        SpoiltHistory(.inputIsWhole, "an item missing") {
            $0.from("k1-last-1") { .array(($0.array ?? []).dropLast()) }
        },
        SpoiltHistory(.inputIsWhole, "two items exchanged") {
            $0.from("k1-last-1") { .array(($0.array ?? []).reversed()) }
        },
        SpoiltHistory(.inputIsWhole, "an item null") {
            $0.from("k1-last-1") { .array([.null] + ($0.array ?? []).dropFirst()) }
        },
    ]
}

extension History {
    /// Changes the data of a task in the ledger.
    mutating func data(_ id: String, _ change: (inout JSON) -> Void) {
        let text = rows.tasks.first { $0["id"]?.string == id }?["output"]?.string ?? ""
        guard var data = try? JSON(parsing: text) else { return }
        change(&data)
        set(\.tasks, id, ["output": .string(data.text)])
    }

    /// Changes the items in the data of a task in the ledger.
    mutating func items(_ id: String, _ change: (inout [JSON]) -> Void) {
        data(id) { data in
            var items = data["items"]?.array ?? []
            change(&items)
            data[member: "items"] = .array(items)
        }
    }

    /// Changes what a call says that it was given.
    mutating func from(_ nonce: String, _ change: (JSON) -> JSON) {
        mapMarks(nonce) { mark in
            guard mark.kind == .answered else { return mark }
            var answer = mark.answer
            answer[member: "from"] = change(answer["from"] ?? .null)
            return mark.with(answer: answer)
        }
    }
}
