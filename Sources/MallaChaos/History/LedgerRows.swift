// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A run's rows of the ledger, as PostgreSQL itself tells them (`row_to_json`), not as Malla reads them.
///
/// Times are seconds since 1970, states are words, and what the ledger keeps as bytes is text, or null.
struct LedgerRows: Sendable, Hashable {
    /// `id`, `key`, `user`, `method`, `state`, `created`, `deadline`, `finished`, `output`, `error`, `failed_stage`.
    var tasks: [JSON] = []
    /// `task`, `state`, and `stages`: a list of `status`, `total`, `succeeded`, `failed`.
    var runs: [JSON] = []
    /// `id`, `task`, `stage` (its number), `name` (of the stage), `item`, `state`, `attempt`, `failures`, `deaths`,
    /// `orphaned`, `max_attempts`, `timeout`, `deadline`, `created`, `started`, `finished`, `worker`, `error`, `result`.
    var jobs: [JSON] = []
    /// `id`, `task`, `state`, `attempts`, `created`, `hash` (SHA-256 of the body, hex), and `made`: a list of `number`,
    /// `started`, `status`, `error`.
    var callbacks: [JSON] = []

    /// Rows that are not what the schema promises.
    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    /// Reads the rows of a run's users, who are no other run's.
    ///
    /// - Parameter sql: runs a query, as one statement, and returns its rows, each an object by column (`row_to_json`).
    static func read(users: [String], sql: @Sendable (String) async throws -> [JSON]) async throws -> LedgerRows {
        let list = users.map {
            "'" + $0.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
        }
        let mine = "user_id = ANY(ARRAY[\(list.joined(separator: ", "))]::text[])"
        // One statement sees one state of the ledger, also while tasks still go on.
        let tables = [
            ("tasks", tasks(mine)), ("runs", runs(mine)), ("jobs", jobs(mine)), ("callbacks", callbacks(mine)),
        ]
        let query = tables.map { "SELECT '\($0)' AS name, row_to_json(rows) AS row FROM (\($1)) rows" }
        var found = LedgerRows()
        for line in try await sql(query.joined(separator: " UNION ALL ")) {
            let row = line["row"] ?? .null
            switch line["name"]?.string {
            case "tasks": found.tasks.append(try text(of: ["output", "error"], in: row))
            case "runs": found.runs.append(try decodingStages(row))
            case "jobs": found.jobs.append(try text(of: ["result", "error"], in: row))
            case "callbacks": found.callbacks.append(row)
            default: throw Unreadable(description: "a row of no table: \(line.text)")
            }
        }
        return found
    }

    // MARK: Statements

    private static let taskStates = word(of: "t.state", ["1": "running"])
    private static let jobStates = word(of: "j.state", ["0": "waiting", "1": "running"])

    private static func word(of column: String, _ open: [String: String]) -> String {
        let final = ["2": "succeeded", "3": "failed", "4": "cancelled", "5": "timed_out"]
        let cases = open.merging(final) { first, _ in first }.sorted { $0.key < $1.key }
        return "CASE \(column) " + cases.map { "WHEN \($0.key) THEN '\($0.value)' " }.joined() + "ELSE 'unknown' END"
    }

    private static func seconds(_ column: String) -> String { "extract(epoch FROM \(column))::float8" }

    private static func tasks(_ mine: String) -> String {
        """
        SELECT t.id, t.request AS key, t.user_id AS "user", t.method, \(taskStates) AS state,
            \(seconds("t.created_at")) AS created, \(seconds("t.deadline")) AS deadline,
            \(seconds("t.finished_at")) AS finished, encode(t.output, 'hex') AS output,
            encode(t.error, 'hex') AS error, t.failed_stage
        FROM tasks t WHERE t.\(mine) ORDER BY t.id
        """
    }

    private static func runs(_ mine: String) -> String {
        """
        SELECT t.id AS task, \(word(of: "r.state", ["1": "running"])) AS state, encode(r.stages, 'hex') AS stages
        FROM tasks t JOIN runs r ON r.task_id = t.id WHERE t.\(mine) ORDER BY t.id
        """
    }

    private static func jobs(_ mine: String) -> String {
        """
        SELECT j.id, j.task_id AS task, j.stage, d.stages[j.stage + 1] AS name, j.item, \(jobStates) AS state,
            j.attempt, j.failures, j.deaths, j.orphaned, j.max_attempts, j.timeout / 1e6::float8 AS timeout,
            \(seconds("j.deadline")) AS deadline, \(seconds("j.created_at")) AS created,
            \(seconds("j.started_at")) AS started, \(seconds("j.finished_at")) AS finished, j.worker,
            encode(j.error, 'hex') AS error, encode(j.result, 'hex') AS result
        FROM tasks t JOIN jobs j ON j.task_id = t.id LEFT JOIN definitions d ON d.hash = t.definition
        WHERE t.\(mine) ORDER BY j.id
        """
    }

    private static func callbacks(_ mine: String) -> String {
        """
        SELECT c.id, c.task_id AS task,
            CASE c.state WHEN 0 THEN 'pending' WHEN 1 THEN 'delivered' WHEN 2 THEN 'abandoned' ELSE 'unknown' END AS state,
            c.attempts, \(seconds("c.created_at")) AS created, encode(sha256(c.body), 'hex') AS hash,
            coalesce((SELECT jsonb_agg(jsonb_build_object('number', a.number, 'started', \(seconds("a.started_at")),
                'status', a.status, 'error', a.error) ORDER BY a.id)
                FROM callback_attempts a WHERE a.callback_id = c.id), '[]') AS made
        FROM tasks t JOIN callbacks c ON c.task_id = t.id WHERE t.\(mine) ORDER BY c.id
        """
    }

    // MARK: Bytes

    /// Replaces members in hex by the text that they stand for.
    private static func text(of members: [String], in row: JSON) throws(Unreadable) -> JSON {
        guard case .object(var object) = row else { throw Unreadable(description: "a row is no object: \(row.text)") }
        for name in members {
            guard let hex = object[name]?.string else { continue }
            object[name] = .string(String(decoding: try bytes(hex), as: UTF8.self))
        }
        return .object(object)
    }

    private static func decodingStages(_ row: JSON) throws -> JSON {
        guard case .object(var object) = row, let hex = object["stages"]?.string else {
            throw Unreadable(description: "a run has no stages: \(row.text)")
        }
        guard let stages = RunBytes.stages(in: try bytes(hex)) else {
            throw Unreadable(description: "these bytes are not a run: \(row.text)")
        }
        object["stages"] = .array(stages)
        return .object(object)
    }

    private static func bytes(_ hex: String) throws(Unreadable) -> [UInt8] {
        func value(_ digit: UInt8) throws(Unreadable) -> UInt8 {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: throw Unreadable(description: "no hexadecimal digit: \(digit)")
            }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(hex.utf8.count / 2)
        var high: UInt8?
        for digit in hex.utf8 {
            let half = try value(digit)
            if let first = high {
                bytes.append(first << 4 | half)
                high = nil
            } else {
                high = half
            }
        }
        guard high == nil else { throw Unreadable(description: "an odd number of hexadecimal digits") }
        return bytes
    }
}
