// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

@testable import MallaChaos

/// Builds histories in which nothing is wrong: tasks of every kind, one after the other.
struct CheckerRightHistory {
    static let began = 1_800_000_000.0
    /// The users; task `n` belongs to the `n % 2`-th.
    static let users = ["ann", "bob"]
    /// The kinds of tasks; task `n` is of the `n % 9`-th, and its key is `k<n>`.
    static let kinds = ["chain", "fan", "refused", "retried", "hopeless", "cancelled", "late", "gone", "poison"]

    private var tasks: [PlannedTask] = []
    private var calls: [ClientCall] = []
    private var marks: [HandlerMark] = []
    private var arrivals: [CallbackArrival] = []
    private var rows = LedgerRows()
    private var ends: [String: [String: Int]] = [:]

    /// What a job of a task does.
    private struct Part {
        var stage: Int
        var name: String
        var item: Int?
        /// How each attempt ends; nil when it dies.
        var attempts: [HandlerMark.Kind?]
        var state: String
        var category: String?
        var from: JSON = .null
    }

    /// A task of every kind, and something changed.
    static func changed(_ change: (inout History) -> Void) -> History {
        var history = make(kinds.count)
        change(&history)
        return history
    }

    static func make(_ count: Int) -> History {
        var builder = CheckerRightHistory()
        for index in 0..<count { builder.add(index) }
        let answers = users.map { user -> (String, JSON) in
            let ends = builder.ends[user] ?? [:]
            func count(_ names: String...) -> JSON { .number(JSONNumber(names.reduce(0) { $0 + (ends[$1] ?? 0) })) }
            return (
                user,
                [
                    "numRequestSuccess": count("succeeded"), "numRequestFailed": count("failed", "timed_out"),
                    "numRequestPending": 0, "numRequestRunning": 0, "numRequestCancelled": count("cancelled"),
                    "numRequestTimedOut": count("timed_out"), "userId": .string(user),
                ]
            )
        }
        return History(
            seed: 1,
            began: began,
            ended: began + Double(count) * 0.01 + 100,
            tasks: builder.tasks,
            calls: builder.calls,
            marks: builder.marks,
            callbacks: builder.arrivals,
            faults: [],
            rows: builder.rows,
            statistics: Dictionary(uniqueKeysWithValues: answers),
            originals: ["aa": "aa", "bb": "bb"],
            leftovers: Leftovers(messages: ["malla.work": 0])
        )
    }

    private mutating func add(_ index: Int) {
        let kind = Self.kinds[index % Self.kinds.count]
        let (key, user, start) = ("k\(index)", Self.users[index % 2], Self.began + Double(index) * 0.01)
        let (verdict, parts) = plan(kind, key)
        let limit = kind == "late" ? 2.0 : 120.0
        let finished = kind == "late" ? start + 2.2 : start + 1.5
        tasks.append(
            PlannedTask(
                key: key,
                user: user,
                method: kind,
                payload: kind == "fan"
                    ? ["items": [1, 2, 3]] : kind == "poison" ? ["do": ["first": ["kind": "die"]]] : [:],
                at: start - Self.began,
                cancelAfter: kind == "cancelled" ? 1 : nil,
                deadline: kind == "late" ? 2 : nil,
                verdicts: [verdict],
                receiverIsGone: kind == "gone"
            )
        )
        var data = JSONObject()
        for part in parts { data[part.name] = run(part, of: key, at: start, limit, finished) }
        if kind == "fan" {
            data["items"] = .array(
                (0..<3).map { (item: Int) in answer("\(key)-items\(item)-1", "\(key)-items\(item)", 1, "items", item) }
            )
        }
        write(key, user, kind, verdict, start, limit, finished, parts, .object(data))
        tell(key, user, kind, verdict, start, finished, .object(data))
        ends[user, default: [:]][verdict.rawValue, default: 0] += 1
    }

    private func plan(_ kind: String, _ key: String) -> (Verdict, [Part]) {
        func good(_ stage: Int, _ name: String, _ item: Int? = nil, from: JSON = .null) -> Part {
            Part(stage: stage, name: name, item: item, attempts: [.answered], state: "succeeded", from: from)
        }
        func only(_ attempts: [HandlerMark.Kind?], _ state: String, _ category: String? = nil) -> [Part] {
            [Part(stage: 0, name: "first", item: nil, attempts: attempts, state: state, category: category)]
        }
        switch kind {
        case "fan":
            let items = (0..<3).map { good(0, "items", $0) }
            let nonces = (0..<3).map { JSON.string("\(key)-items\($0)-1") }
            return (.succeeded, items + [good(1, "last", from: .array(nonces))])
        case "refused": return (.failed, only([.refused], "failed", "handler"))
        case "retried": return (.succeeded, only([.failed, .answered], "succeeded"))
        case "hopeless": return (.failed, only([.failed, .failed, .failed], "failed", "handler"))
        case "cancelled": return (.cancelled, only([.stopped], "cancelled", "cancelled"))
        case "late": return (.timedOut, only([.stopped], "timed_out", "timeout"))
        case "poison": return (.failed, only([nil, nil], "failed", "poison"))
        default: return (.succeeded, [good(0, "first"), good(1, "last", from: .string("\(key)-first-1"))])
        }
    }

    private func answer(
        _ nonce: String,
        _ job: String,
        _ attempt: Int,
        _ stage: String,
        _ item: Int?,
        from: JSON = .null
    )
        -> JSON
    {
        [
            "nonce": .string(nonce), "attempt": .number(JSONNumber(attempt)), "job": .string(job),
            "stage": .string(stage), "item": item.map { .number(JSONNumber($0)) } ?? .null, "from": from,
        ]
    }

    /// Writes a job's marks and row; returns its answer.
    private mutating func run(
        _ part: Part,
        of key: String,
        at start: Double,
        _ limit: Double,
        _ finished: Double
    ) -> JSON {
        let job = "\(key)-\(part.name)" + (part.item.map(String.init) ?? "")
        var (at, result) = (start + 0.1 + Double(part.stage) * 0.5, JSON.null)
        for (number, end) in part.attempts.enumerated() {
            let nonce = "\(job)-\(number + 1)"
            let given = answer(nonce, job, number + 1, part.name, part.item, from: part.from)
            func mark(_ kind: HandlerMark.Kind, _ at: Double, _ answer: JSON) -> HandlerMark {
                HandlerMark(
                    kind: kind,
                    at: at,
                    key: key,
                    stage: part.name,
                    item: part.item,
                    job: job,
                    attempt: number + 1,
                    nonce: nonce,
                    answer: answer,
                    process: 100,
                    worker: "worker-1"
                )
            }
            marks.append(mark(.began, at, .null))
            if let end {
                let until = end == .stopped ? finished + 0.2 : at + 0.1
                marks.append(mark(end, until, end == .answered ? given : .null))
                if end == .answered { result = given }
            }
            at += 0.2
        }
        let failures = part.attempts.count { $0 == .failed || $0 == .refused }
        let error: JSON = ["category": .string(part.category ?? ""), "message": "m", "isFinal": false]
        rows.jobs.append([
            "id": .string(job), "task": .string("t-\(key)"), "stage": .number(JSONNumber(part.stage)),
            "name": .string(part.name), "item": part.item.map { .number(JSONNumber($0)) } ?? .null,
            "state": .string(part.state), "attempt": .number(JSONNumber(part.attempts.count)),
            "failures": .number(JSONNumber(failures)), "deaths": .number(JSONNumber(part.attempts.count { $0 == nil })),
            "orphaned": 0, "max_attempts": 3, "timeout": 100, "deadline": .number(JSONNumber(start + limit)),
            "created": .number(JSONNumber(start)), "started": .null,
            "finished": .number(JSONNumber(part.state == "succeeded" ? min(at, finished) : finished)),
            "worker": "worker-1", "error": part.category == nil ? .null : .string(error.text),
            "result": result == .null ? .null : .string(result.text),
        ])
        return result
    }

    private mutating func write(
        _ key: String,
        _ user: String,
        _ kind: String,
        _ verdict: Verdict,
        _ start: Double,
        _ limit: Double,
        _ finished: Double,
        _ parts: [Part],
        _ data: JSON
    ) {
        let error: JSON = ["category": .string(parts[0].category ?? ""), "message": "m", "isFinal": false]
        rows.tasks.append([
            "id": .string("t-\(key)"), "key": .string(key), "user": .string(user), "method": .string(kind),
            "state": .string(verdict.rawValue), "created": .number(JSONNumber(start)),
            "deadline": .number(JSONNumber(start + limit)), "finished": .number(JSONNumber(finished)),
            "output": verdict == .succeeded ? .string(data.text) : .null,
            "error": verdict == .failed ? .string(error.text) : .null, "failed_stage": .null,
        ])
        let stages = Dictionary(grouping: parts, by: \.stage).sorted { $0.key < $1.key }.map { _, parts -> JSON in
            [
                "status": "succeeded", "total": .number(JSONNumber(parts.count)),
                "succeeded": .number(JSONNumber(parts.count { $0.state == "succeeded" })),
                "failed": .number(JSONNumber(parts.count { $0.state == "failed" })),
            ]
        }
        rows.runs.append([
            "task": .string("t-\(key)"), "state": .string(verdict.rawValue), "stages": .array(stages),
        ])
        rows.callbacks.append([
            "id": .string("c-\(key)"), "task": .string("t-\(key)"),
            "state": kind == "gone" ? "abandoned" : "delivered", "attempts": 1,
            "created": .number(JSONNumber(finished)), "hash": .string("h-\(key)"),
            "made": [["number": 1, "started": .number(JSONNumber(finished)), "status": kind == "gone" ? 410 : 200]],
        ])
    }

    /// What clients and the receiver saw.
    private mutating func tell(
        _ key: String,
        _ user: String,
        _ kind: String,
        _ verdict: Verdict,
        _ start: Double,
        _ finished: Double,
        _ data: JSON
    ) {
        let code = [Verdict.succeeded: "000", .failed: "501", .timedOut: "500", .cancelled: "499"][verdict] ?? ""
        func envelope(_ code: String) -> JSON {
            let response: JSON =
                switch code {
                case "000": ["taskId": .string("t-\(key)"), "dataType": "META_DATA", "data": data]
                case "002": ["taskId": .string("t-\(key)")]
                default: [:]
                }
            return [
                "taskId": .string("t-\(key)"), "requestId": .string(key), "response": response,
                "errorCode": ["status": .string("CH_\(code)")],
            ]
        }
        func call(_ kind: ClientCall.Kind, _ at: Double, _ answer: JSON) -> ClientCall {
            ClientCall(
                kind: kind,
                key: key,
                task: "t-\(key)",
                began: at,
                ended: at + 0.01,
                status: 200,
                answer: answer,
                api: .appAPI1
            )
        }
        let accepted: JSON = ["response": ["taskId": .string("t-\(key)")], "errorCode": ["status": "CH_001"]]
        calls.append(call(.submit, start - 0.01, accepted))
        calls.append(call(.poll, start + 0.5, envelope("002")))
        if kind == "cancelled" { calls.append(call(.cancel, finished - 0.005, envelope("499"))) }
        calls.append(call(.poll, finished + 1, envelope(code)))
        arrivals.append(
            CallbackArrival(
                at: finished + 0.1,
                id: "c-\(key)",
                bodyHash: "h-\(key)",
                body: envelope(code),
                isSigned: true,
                answered: kind == "gone" ? 410 : 200
            )
        )
    }
}
