// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Plumbing

extension WorkflowDefinition {
    /// Makes a definition and computes `stored` and `hash`; the stages must be sorted topologically.
    public init(
        app: String,
        method: String,
        description: String = "",
        input: JSONSchema? = nil,
        deadline: Duration,
        stages: [StageDefinition],
        output: OutputDefinition
    ) {
        var definition = WorkflowDefinition(
            app: app,
            method: method,
            description: description,
            input: input,
            deadline: deadline,
            stages: stages,
            output: output,
            stored: [],
            hash: ""
        )
        definition.stored = definition.json.bytes
        definition.hash = SHA256.hash(data: definition.stored).hexadecimal
        self = definition
    }

    /// Reads back what `stored` holds: a definition that behaves the same, with the same `stored` and `hash`.
    ///
    /// - Throws: `StoredDefinitionError` when it is none.
    public init(stored: [UInt8]) throws(StoredDefinitionError) {
        do {
            try self.init(reading: stored)
        } catch let error as StoredDefinitionError {
            throw error
        } catch {
            throw StoredDefinitionError(reason: "\(error)")
        }
    }

    private init(reading stored: [UInt8]) throws {
        let json = try JSON(parsing: stored, maxDepth: 512)
        var stages: [StageDefinition] = []
        for stage in try json.stored("stages", \.array) { stages.append(try StageDefinition(stored: stage)) }
        for (index, stage) in stages.enumerated() where !stage.dependencies.allSatisfy({ (0..<index).contains($0) }) {
            throw StoredDefinitionError(reason: "stage '\(stage.name)' depends on a later one")
        }
        guard Set(stages.map(\.name)).count == stages.count else {
            throw StoredDefinitionError(reason: "two of its stages have one name")
        }
        let output = try json.stored("output") { $0 }
        guard let type = OutputDefinition.DataType(rawValue: try output.stored("type", \.string)) else {
            throw StoredDefinitionError(reason: "its output has an unknown type")
        }
        self.init(
            app: try json.stored("app", \.string),
            method: try json.stored("method", \.string),
            description: try json.stored("description", \.string),
            input: try json["input"].map { try JSONSchema($0) },
            deadline: try json.storedDuration("deadline_us"),
            stages: stages,
            output: OutputDefinition(type: type, data: try Template(try output.stored("data") { $0 })),
            stored: stored,
            hash: SHA256.hash(data: stored).hexadecimal
        )
    }

    private var json: JSON {
        var object = JSONObject([
            ("app", .string(app)), ("method", .string(method)), ("description", .string(description)),
            ("deadline_us", .number(JSONNumber(Int(deadline.wholeMicroseconds)))),
        ])
        if let input { object["input"] = input.source }
        object["stages"] = .array(stages.map(\.json))
        object["output"] = ["type": .string(output.type.rawValue), "data": output.data.json]
        return .object(object)
    }
}

extension StageDefinition {
    fileprivate init(stored json: JSON) throws {
        self.init(
            name: try json.stored("name", \.string),
            service: try json.stored("service", \.string),
            input: try Template(try json.stored("input") { $0 })
        )
        if let list = json["foreach"] { forEach = .list(try Template(list)) }
        if let range = json["range"] { forEach = .range(try Template(range)) }
        if let condition = json["when"] { when = try Condition(condition) }
        switch json["join"] {
        case "all"?: join = .all
        case "any"?: join = .any
        case let other?: join = .atLeast(try other.stored("at_least", \.int))
        case nil: throw StoredDefinitionError(reason: "stage '\(name)' has no 'join'")
        }
        dependencies = try json.stored("dependencies", \.array).map { index throws in
            guard let index = index.int else { throw StoredDefinitionError(reason: "a dependency is no number") }
            return index
        }
        maxAttempts = try json.stored("max_attempts", \.int)
        let backoff = try json.stored("backoff") { $0 }
        self.backoff = Backoff(
            base: try backoff.storedDuration("base_us"),
            cap: try backoff.storedDuration("cap_us"),
            jitter: try backoff.stored("jitter", \.double)
        )
        timeout = try json.storedDuration("timeout_us")
    }

    fileprivate var json: JSON {
        var object = JSONObject([("name", .string(name)), ("service", .string(service)), ("input", input.json)])
        switch forEach {
        case .list(let list)?: object["foreach"] = list.json
        case .range(let range)?: object["range"] = range.json
        case nil: break
        }
        if let when { object["when"] = when.json }
        switch join {
        case .all: object["join"] = "all"
        case .any: object["join"] = "any"
        case .atLeast(let count): object["join"] = ["at_least": .number(JSONNumber(count))]
        }
        object["dependencies"] = .array(dependencies.map { .number(JSONNumber($0)) })
        object["max_attempts"] = .number(JSONNumber(maxAttempts))
        object["backoff"] = [
            "base_us": .number(JSONNumber(Int(backoff.base.wholeMicroseconds))),
            "cap_us": .number(JSONNumber(Int(backoff.cap.wholeMicroseconds))),
            "jitter": .number(JSONNumber(backoff.jitter)),
        ]
        object["timeout_us"] = .number(JSONNumber(Int(timeout.wholeMicroseconds)))
        return .object(object)
    }
}

extension JSON {
    /// A member that must be there, and of that type.
    fileprivate func stored<Value>(
        _ name: String,
        _ read: (JSON) -> Value?
    ) throws(StoredDefinitionError) -> Value {
        guard let value = self[name].flatMap(read) else {
            throw StoredDefinitionError(reason: "'\(name)' is missing or of the wrong type")
        }
        return value
    }

    fileprivate func storedDuration(_ name: String) throws(StoredDefinitionError) -> Duration {
        .microseconds(try stored(name, \.int))
    }
}
