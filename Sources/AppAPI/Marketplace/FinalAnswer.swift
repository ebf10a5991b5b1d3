// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// A finished task as the result store keeps it: what `/result` needs, without URLs, which are made per answer.
struct FinalAnswer: Sendable {
    var task: TaskRecord
    /// The stages' progress; nil when the writer did not have the run at hand.
    var stages: JSON?

    init(task: TaskRecord, stages: JSON?) {
        self.task = task
        self.stages = stages
    }

    /// The stored form, with the output last, as it is.
    var bytes: [UInt8] {
        var json: JSON = [
            "id": .string(task.id.description), "app": .string(task.app), "method": .string(task.method),
            "user": .string(task.user), "role": .string(task.role), "request": .string(task.request),
            "definition": .string(task.definition), "state": .string(task.state.rawValue),
            "created": .number(JSONNumber(Int(task.createdAt.microseconds))),
            "deadline": .number(JSONNumber(Int(task.deadline.microseconds))),
            "finished": .number(JSONNumber(Int((task.finishedAt ?? task.createdAt).microseconds))),
        ]
        if let trace = task.trace { json = json.adding("trace", .string(trace)) }
        if let error = task.error { json = json.adding("error", error.json) }
        if let stage = task.failedStage { json = json.adding("failedStage", .string(stage)) }
        if let stages { json = json.adding("stages", stages) }
        return json.bytes + [UInt8(ascii: "\n")] + (task.output ?? [])
    }

    /// Reads the stored form; nil when it is another version's or damaged.
    init?(bytes: [UInt8]) {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")),
            let json = try? JSON(parsing: Array(bytes[..<end])),
            let id = json["id"]?.string.flatMap({ MeshID($0) }), let app = json["app"]?.string,
            let method = json["method"]?.string, let user = json["user"]?.string, let role = json["role"]?.string,
            let request = json["request"]?.string, let definition = json["definition"]?.string,
            let state = json["state"]?.string.flatMap(Run.State.init(rawValue:)), state != .running,
            let created = json["created"]?.int, let deadline = json["deadline"]?.int,
            let finished = json["finished"]?.int
        else { return nil }
        task = TaskRecord(
            id: id,
            app: app,
            method: method,
            user: user,
            role: role,
            request: request,
            fingerprint: [],
            trace: json["trace"]?.string,
            callbackURL: nil,
            payload: [],
            definition: definition,
            createdAt: Timestamp(microseconds: Int64(created)),
            deadline: Timestamp(microseconds: Int64(deadline))
        )
        task.state = state
        task.finishedAt = Timestamp(microseconds: Int64(finished))
        task.error = json["error"].flatMap(JobError.init(json:))
        task.failedStage = json["failedStage"]?.string
        task.output = state == .succeeded ? Array(bytes[(end + 1)...]) : nil
        stages = json["stages"]
    }
}
