// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// How attempts are written to and read from `jobs.history`: one JSON object each, the newest 20 of a job.
enum StoredAttempt {
    static let kept = 20
    /// More of a message than this stands only in `jobs.error`, so that a history stays small.
    private static let messageBytes = 600

    /// Adds `element`, an SQL expression, to the history of the row `j`; that of a job without one is null.
    static func append(_ element: String) -> String {
        "array_append(j.history[cardinality(j.history) - \(kept - 2):], \(element))"
    }

    /// Adds the attempt that the row `j` stands for before an update; `outcome` is an SQL expression.
    static func appendPresent(outcome: String) -> String {
        append(
            """
            convert_to(json_build_object('attempt', j.attempt, 'worker', j.worker,
                'started', (extract(epoch FROM j.started_at) * 1000000)::bigint,
                'ended', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                'outcome', \(outcome))::text, 'UTF8')
            """
        )
    }

    static func encode(_ attempt: AttemptRecord) -> [UInt8] {
        var object: JSONObject = JSONObject([
            ("attempt", .number(JSONNumber(attempt.attempt))),
            ("ended", .number(JSONNumber(Int(attempt.endedAt.microseconds)))), ("outcome", .string(attempt.outcome)),
        ])
        if let worker = attempt.worker { object["worker"] = .string(worker) }
        if let startedAt = attempt.startedAt { object["started"] = .number(JSONNumber(Int(startedAt.microseconds))) }
        if let error = attempt.error {
            object["category"] = .string(error.category.rawValue)
            object["message"] = .string(cut(error.message))
            object["final"] = .bool(error.isFinal)
            if let field = error.field { object["field"] = .string(cut(field)) }
        }
        return JSON.object(object).bytes
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= messageBytes ? text : String(decoding: text.utf8.prefix(messageBytes), as: UTF8.self) + "…"
    }

    static func decode(_ bytes: [UInt8]) throws(LedgerError) -> AttemptRecord {
        let json: JSON
        do {
            json = try JSON(parsing: bytes)
        } catch {
            throw LedgerError(.corrupt, "stored bytes are not an attempt: \(error)")
        }
        guard let number = json["attempt"]?.int, let ended = json["ended"]?.int, let outcome = json["outcome"]?.string
        else { throw LedgerError(.corrupt, "a stored attempt lacks its number, end or outcome") }
        var record = AttemptRecord(
            attempt: number,
            worker: json["worker"]?.string,
            startedAt: json["started"]?.int.map { Timestamp(microseconds: Int64($0)) },
            endedAt: Timestamp(microseconds: Int64(ended)),
            outcome: outcome
        )
        if let category = json["category"]?.string.flatMap(JobError.Category.init(rawValue:)) {
            record.error = JobError(
                category,
                json["message"]?.string ?? "",
                isFinal: json["final"]?.bool,
                field: json["field"]?.string
            )
        }
        return record
    }
}
