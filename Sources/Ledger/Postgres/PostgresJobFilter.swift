// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// The conditions of a look for jobs, with their parameters.
///
/// A statement of its own per kind of filter: a generic plan can't use an index for "or null".
struct PostgresJobFilter {
    /// Tells statements apart; a letter per filter, for the server cuts names at 63 bytes.
    private(set) var name: String
    private(set) var parameters: [any PostgresParameter]
    private var conditions: [String] = []

    /// How long after its `created_at` a job's id may be made: the last jobs of a task are.
    private static let longestTask = Duration.seconds(7 * 86_400)
    /// How far the clock may have gone back between a job's moment and its id.
    private static let clockSlack = Duration.seconds(600)

    /// Starts with the statement's name and first parameters.
    init(_ name: String, _ parameters: [any PostgresParameter] = []) {
        self.name = name + "_"
        self.parameters = parameters
    }

    /// The conditions with `WHERE`; empty when there are none.
    var text: String { conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ") }

    /// Adds a condition in which `$` stands for the parameter.
    mutating func add(_ letter: String, _ condition: String, _ parameter: any PostgresParameter) {
        parameters.append(parameter)
        conditions.append(
            condition.split(separator: "$", omittingEmptySubsequences: false)
                .joined(separator: "$\(parameters.count)")
        )
        name += letter
    }

    /// Adds that a column has one of these values; one alone is an equality, which indexes serve in order.
    private mutating func add<Value: PostgresElement>(
        _ letter: String,
        _ column: String,
        _ type: String,
        anyOf values: [Value]
    ) {
        if values.count == 1, let value = values.first {
            add(letter, "\(column) = $::\(type)", value)
        } else {
            add(letter.uppercased(), "\(column) = ANY($::\(type)[])", PostgresList(values))
        }
    }

    /// Adds when jobs were created: by their ids, which begin with the time, and then exactly.
    mutating func add(from: Timestamp?, to: Timestamp?) {
        if let from {
            add("i", "id >= $::uuid", Self.bound(from - Self.clockSlack))
            add("f", "created_at >= $::timestamptz", from)
        }
        if let to {
            add("j", "id < $::uuid", Self.bound(to + Self.longestTask))
            add("u", "created_at < $::timestamptz", to)
        }
    }

    /// The least id of a moment; the greatest there is for one that no id can hold.
    private static func bound(_ moment: Timestamp) -> MeshID {
        let milliseconds = UInt64(max(0, moment.microseconds / 1000))
        return milliseconds < 1 << 48
            ? MeshID(high: milliseconds << 16, low: 0) : MeshID(high: .max, low: .max)
    }

    /// Adds what a query asks for.
    mutating func add(_ query: JobQuery) {
        if let services = query.services { add("s", "service", "text", anyOf: services) }
        if let states = query.states { add("t", "state", "smallint", anyOf: states.map(\.code)) }
        if let owner = query.ownerService {
            add("o", "left(owner_service, 200) = left($::text, 200) AND owner_service = $::text", owner)
        }
        if let reference = query.ownerRef {
            add("r", "left(owner_ref, 200) = left($::text, 200) AND owner_ref = $::text", reference)
        }
        if let types = query.taskTypes { add("y", "task_type", "text", anyOf: types) }
        if let profile = query.modelProfile { add("m", "model_profile = $::text", profile) }
        if let worker = query.worker {
            // The name is followed by a hyphen and a UUID: "gpu" does not mean the worker "gpu-2".
            add(
                "w",
                "(worker = $::text OR (starts_with(worker, $::text || '-') AND length(worker) = length($::text) + 37))",
                worker
            )
        }
        if let task = query.task { add("k", "task_id = $::uuid", task) }
        add(from: query.from, to: query.to)
        if let before = query.before { add("b", "id < $::uuid", before) }
    }
}
