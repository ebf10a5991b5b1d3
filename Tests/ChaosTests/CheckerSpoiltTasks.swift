// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

@testable import MallaChaos

// Keys by the kind of their task: k0 chain, k1 fan, k2 refused, k3 retried, k4 hopeless, k5 cancelled, k6 late, k7 gone,
// k8 poison. A task is `t-<key>`, a job `<key>-<stage><item>`, a call `<job>-<attempt>`, a callback `c-<key>`.
extension SpoiltHistory {
    static let all = tasks + answers + results + shapes + jobs + calls + limits + callbacks + surroundings

    /// What was accepted, and how it ended.
    static let tasks: [SpoiltHistory] = [
        SpoiltHistory(.rowsAreReadable, "a task without a key") { $0.set(\.tasks, "t-k0", ["key": .null]) },
        SpoiltHistory(.rowsAreReadable, "a job without an attempt") { $0.set(\.jobs, "k0-first", ["attempt": .null]) },
        SpoiltHistory(.rowsAreReadable, "a callback without a hash") { $0.set(\.callbacks, "c-k0", ["hash": .null]) },
        SpoiltHistory(.acceptedIsKept, "the row is gone") { $0.rows.tasks.removeFirst() },
        SpoiltHistory(.acceptedIsKept, "200 without an id") {
            $0.mapCalls(.submit, "k0") { $0.with(answer: ["response": [:]]) }
        },
        SpoiltHistory(.oneTaskPerKey, "two rows") { history in
            var row = history.rows.tasks[0]
            row[member: "id"] = "t-other"
            history.rows.tasks.append(row)
        },
        SpoiltHistory(.oneAnswerPerKey, "a repeat got another id") { history in
            let first = history.calls.first { $0.kind == .submit && $0.key == "k0" }
            let other: JSON = ["response": ["taskId": "t-other"], "errorCode": ["status": "CH_001"]]
            if let first { history.calls.append(first.with(after: 1, answer: other)) }
        },
        SpoiltHistory(.oneAnswerPerKey, "the ledger has another id") { history in
            let other: JSON = ["response": ["taskId": "t-other"], "errorCode": ["status": "CH_001"]]
            history.mapCalls(.submit, "k0") { $0.with(answer: other) }
        },
        SpoiltHistory(.everyTaskIsAccepted, "503 for ever") { history in
            history.rows.tasks.removeAll { $0["key"]?.string == "k0" }
            history.mapCalls(.submit, "k0") { $0.with(after: 60, status: 503, isAnswered: false) }
            history.fault(.kill, .server(.postgres), from: 0, to: 20)
        },
        SpoiltHistory(.everyTaskIsAccepted, "503 without a fault") { history in
            history.mapCalls(.submit, "k0") { $0.with(status: 503, isAnswered: false) }
        },
        SpoiltHistory(.everyTaskIsAccepted, "refused for good during a fault") { history in
            history.mapCalls(.submit, "k0") { $0.with(status: 400, isAnswered: false) }
            history.fault(.kill, .server(.postgres), from: 0, to: 20)
        },
        SpoiltHistory(.everyTaskIsAccepted, "never submitted") { history in
            history.mapCalls(.submit, "k0") { _ in nil }
        },
        SpoiltHistory(.refusedForNow, "500, then accepted") { history in
            let first = history.calls.first { $0.kind == .submit && $0.key == "k0" }
            if let first { history.calls.append(first.with(after: -1, status: 500, isAnswered: false)) }
        },
        SpoiltHistory(.refusedForNow, "401") { history in
            let first = history.calls.first { $0.kind == .submit && $0.key == "k0" }
            if let first { history.calls.append(first.with(after: -1, status: 401, isAnswered: false)) }
        },
        SpoiltHistory(.repeatIsAccepted, "409") { history in
            let first = history.calls.first { $0.kind == .submit && $0.key == "k0" }
            if let first { history.calls.append(first.with(after: 1, status: 409)) }
        },
        SpoiltHistory(.nothingUnasked, "a key that is not planned") { $0.tasks.removeFirst() },
        SpoiltHistory(.nothingUnasked, "a task that was never submitted") { $0.mapCalls(.submit, "k0") { _ in nil } },
        SpoiltHistory(.taskAsPlanned, "another method") { $0.set(\.tasks, "t-k0", ["method": "fan"]) },
        SpoiltHistory(.taskAsPlanned, "another user") { $0.set(\.tasks, "t-k0", ["user": "bob"]) },
        SpoiltHistory(.taskAsPlanned, "another deadline") {
            $0.set(\.tasks, "t-k6", ["deadline": .number(JSONNumber($0.began + 1))])
        },
        SpoiltHistory(.oneFinalState, "a task under way") {
            $0.set(\.tasks, "t-k0", ["state": "running", "finished": .null])
        },
        SpoiltHistory(.oneFinalState, "a run under way") { $0.set(\.runs, "t-k0", ["state": "running"]) },
        SpoiltHistory(.oneFinalState, "no run") { $0.rows.runs.removeFirst() },
        SpoiltHistory(.oneFinalState, "two runs") { $0.rows.runs.append($0.rows.runs[0]) },
        SpoiltHistory(.plannedEnd, "succeeded, but planned to fail") {
            $0.set(\.tasks, "t-k2", ["state": "succeeded"])
        },
        SpoiltHistory(.plannedEnd, "cancelled by nobody") { $0.mapCalls(.cancel, "k5") { _ in nil } },
        SpoiltHistory(.plannedEnd, "cancelled before anybody asked for it") {
            $0.mapCalls(.cancel, "k5") { $0.with(after: 1) }
        },
    ]

    /// What clients were told.
    static let answers: [SpoiltHistory] = [
        SpoiltHistory(.saidIsTrue, "a poll said that it failed") {
            $0.mapCalls(.poll, "k0") { $0.with(answer: ["errorCode": ["status": "CH_501"]]) }
        },
        SpoiltHistory(.saidIsTrue, "a cancel said that it succeeded") {
            $0.mapCalls(.cancel, "k5") { $0.with(answer: ["errorCode": ["status": "CH_000"]]) }
        },
        SpoiltHistory(.saidIsTrue, "a poll was answered with no envelope") {
            $0.mapCalls(.poll, "k0") { $0.with(answer: "hello") }
        },
        SpoiltHistory(.saidIsTrue, "a callback said that it succeeded") {
            $0.mapArrivals("k2") { $0.with(body: ["taskId": "t-k2", "errorCode": ["status": "CH_000"]]) }
        },
        SpoiltHistory(.saidIsTrue, "a callback has no envelope") {
            $0.mapArrivals("k2") { $0.with(body: ["taskId": "t-k2"]) }
        },
        SpoiltHistory(.endStays, "running after its end") { history in
            let running: JSON = ["errorCode": ["status": "CH_002"]]
            if let last = history.calls.last(where: { $0.kind == .poll && $0.key == "k0" }) {
                history.calls.append(last.with(after: 1, answer: running))
            }
        },
        SpoiltHistory(.taskIsFound, "404") { $0.mapCalls(.poll, "k0") { $0.with(status: 404) } },
        SpoiltHistory(.sameData, "a poll has other data") { $0.mapCalls(.poll, "k0", Self.otherData) },
        SpoiltHistory(.sameData, "a poll has no data") {
            $0.mapCalls(.poll, "k0") { $0.response(["taskId": "t-k0", "dataType": "META_DATA"]) }
        },
        SpoiltHistory(.sameData, "a callback has no data") {
            $0.mapArrivals("k0") { $0.with(body: $0.body.with(response: [:])) }
        },
        SpoiltHistory(.sameData, "a poll says no type of its data") { history in
            history.mapCalls(.poll, "k0") { call in
                call.response(["taskId": "t-k0", "data": call.answer["response"]?["data"] ?? .null])
            }
        },
        SpoiltHistory(.sameData, "plain data are said to be media") { history in
            history.mapCalls(.poll, "k0") { call in
                let data = call.answer["response"]?["data"] ?? .null
                return call.response(["taskId": "t-k0", "dataType": "S3_OBJECT", "data": data])
            }
        },
        SpoiltHistory(.sameData, "other media") {
            $0.hybrid("k0", told: ["reference": "s3://a/other", "url": "http://s3/other?x=1", "expiresAt": "later"])
        },
        SpoiltHistory(.sameData, "media without a URL") { $0.hybrid("k0", told: "s3://a/b") },
        SpoiltHistory(.namesItsTask, "a poll names another task") { history in
            history.mapCalls(.poll, "k0") { call in
                call.response((call.answer["response"] ?? .null).with("taskId", "t-other"))
            }
        },
        SpoiltHistory(.namesItsTask, "a poll names none") { $0.mapCalls(.poll, "k0") { $0.response([:]) } },
        SpoiltHistory(.namesItsTask, "a callback names another request") {
            $0.mapArrivals("k0") { $0.with(body: $0.body.with("requestId", "k7")) }
        },
        SpoiltHistory(.namesItsTask, "a callback names no request") {
            $0.mapArrivals("k2") { $0.with(body: $0.body.with("requestId", .null)) }
        },
        SpoiltHistory(.sameData, "a callback has other data") { history in
            history.mapArrivals("k0") { arrival in
                var body = arrival.body
                body[member: "response"] = ["dataType": "META_DATA", "data": ["first": 1]]
                return arrival.with(body: body)
            }
        },
    ]

    @Sendable private static func otherData(_ call: ClientCall) -> ClientCall {
        var answer = call.answer
        if answer["response"]?["data"] != nil {
            answer[member: "response"] = ["dataType": "META_DATA", "data": ["first": 1]]
        }
        return call.with(answer: answer)
    }

    /// What surrounds the tasks.
    static let surroundings: [SpoiltHistory] = [
        SpoiltHistory(.statisticsAreRight, "a success too many") {
            $0.statistics["ann"]?[member: "numRequestSuccess"] = 1000
        },
        SpoiltHistory(.statisticsAreRight, "still running") { $0.statistics["ann"]?[member: "numRequestRunning"] = 1 },
        SpoiltHistory(.statisticsAreRight, "a cancelled one too few") {
            $0.statistics["bob"]?[member: "numRequestCancelled"] = 0
        },
        SpoiltHistory(.statisticsAreRight, "not told") { $0.statistics["ann"] = nil },
        SpoiltHistory(.statisticsAreRight, "null") { $0.statistics["ann"] = JSON.null },
        SpoiltHistory(.originalsStay, "changed") { $0.originals["aa"] = "cc" },
        SpoiltHistory(.originalsStay, "gone") { $0.originals.updateValue(nil, forKey: "aa") },
        SpoiltHistory(.nothingIsLeft, "a message") { $0.leftovers.messages["malla.work"] = 1 },
        SpoiltHistory(.nothingIsLeft, "a crash") { $0.leftovers.crashes = ["worker-1, pid 7, ended by signal 5"] },
        SpoiltHistory(.nothingIsLeft, "a process") { $0.leftovers.orphans = ["12 python3"] },
        SpoiltHistory(.nothingIsLeft, "a connection") { $0.leftovers.connections = ["postgres: 1"] },
        SpoiltHistory(.nothingIsLeft, "a descriptor") { $0.leftovers.descriptors = ["worker-1: 1"] },
        SpoiltHistory(.nothingIsLeft, "a file") { $0.leftovers.files = ["malla-x"] },
        SpoiltHistory(.nothingIsLeft, "an object") { $0.leftovers.objects = ["part"] },
    ]
}

extension JSON {
    /// With another value of a member.
    func with(_ name: String, _ value: JSON) -> JSON {
        var copy = self
        copy[member: name] = value
        return copy
    }

    /// With another response.
    func with(response: JSON) -> JSON { with("response", response) }
}

extension ClientCall {
    /// With another response, where it had one.
    func response(_ response: JSON) -> ClientCall {
        answer["response"]?["data"] == nil ? self : with(answer: answer.with(response: response))
    }
}

extension History {
    /// The data of a task become a hybrid answer with the reference `s3://a/b`, of which clients are told so.
    mutating func hybrid(_ key: String, told: JSON) {
        plan(key, method: "media", payload: [:])
        func parts(_ data: JSON, _ media: JSON) -> JSON {
            [["dataType": "META_DATA", "data": data], ["dataType": "S3_OBJECT", "data": media]]
        }
        data("t-\(key)") { $0 = parts($0, "s3://a/b") }
        func response(_ old: JSON?) -> JSON {
            let data = parts(old?["data"] ?? .null, told)
            return ["taskId": .string("t-\(key)"), "dataType": "HYBRID", "data": data]
        }
        mapCalls(.poll, key) { $0.response(response($0.answer["response"])) }
        mapArrivals(key) { $0.with(body: $0.body.with(response: response($0.body["response"]))) }
    }
}
