// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The values that references of a run look into, parsed when they are first asked for.
struct RunValues {
    private let definition: WorkflowDefinition
    private let payload: [UInt8]
    private let outputs: [Int: StageOutput]
    private let indices: [String: Int]
    private var request: JSON?
    private var stageValues: [Int: JSON] = [:]
    private var stageErrors: [Int: JSON] = [:]
    /// The element of the fan-out whose input is being made, and its number.
    var item: (value: JSON, number: Int)?

    init(definition: WorkflowDefinition, payload: [UInt8], outputs: [Int: StageOutput]) {
        self.definition = definition
        self.payload = payload
        self.outputs = outputs
        indices = Dictionary(uniqueKeysWithValues: definition.stages.enumerated().map { ($1.name, $0) })
    }

    /// Parses what the references need, so that looking values up is free of I/O and cheap.
    mutating func require(_ references: [Reference], run: Run) throws {
        var missing: Set<Int> = []
        for reference in references {
            switch reference.root {
            case .request:
                if request == nil { request = try JSON(parsing: payload) }
            case .stage(let name):
                guard let index = indices[name], stageValues[index] == nil else { continue }
                stageValues[index] = try load(index, run.stages[index], &missing) { try $0.value(count: $1) }
            case .errors(let name):
                guard let index = indices[name], stageErrors[index] == nil else { continue }
                stageErrors[index] = try load(index, run.stages[index], &missing) { output, _ in output.errors }
            case .item, .index: break
            }
        }
        if !missing.isEmpty { throw MissingOutputs(stages: missing) }
    }

    private func load(
        _ index: Int,
        _ stage: Run.Stage,
        _ missing: inout Set<Int>,
        _ read: (StageOutput, Int?) throws -> JSON
    ) throws -> JSON? {
        if stage.status == .skipped { return .null }
        let isFanOut = definition.stages[index].forEach != nil
        if isFanOut, stage.total == 0 { return .array([]) }
        guard let output = outputs[index] else {
            missing.insert(index)
            return nil
        }
        return try read(output, isFanOut ? stage.total : nil)
    }

    func value(of root: Reference.Root) throws(ReferenceError) -> JSON? {
        switch root {
        case .request: request
        case .stage(let name): indices[name].flatMap { stageValues[$0] }
        case .errors(let name): indices[name].flatMap { stageErrors[$0] }
        case .item: item?.value
        case .index: item.map { .number(JSONNumber($0.number)) }
        }
    }
}

extension StageOutput {
    /// The output as references see it: one value, or with `count` a list of so many with null where there is none.
    fileprivate func value(count: Int?) throws -> JSON {
        guard let count else {
            guard case .success(let bytes)? = entries.first?.outcome else { return .null }
            return try JSON(parsing: bytes)
        }
        var values = [JSON](repeating: .null, count: count)
        for entry in entries {
            guard let item = entry.item, values.indices.contains(item), case .success(let bytes) = entry.outcome else {
                continue
            }
            values[item] = try JSON(parsing: bytes)
        }
        return .array(values)
    }

    /// The errors as references see them, by item: `[{index, category, message}]`.
    fileprivate var errors: JSON {
        let failures = entries.compactMap { entry -> (Int, JobError)? in
            guard case .failure(let error) = entry.outcome else { return nil }
            return (entry.item ?? 0, error)
        }
        return .array(
            failures.sorted { $0.0 < $1.0 }.map { index, error in
                [
                    "index": .number(JSONNumber(index)), "category": .string(error.category.rawValue),
                    "message": .string(error.message),
                ]
            }
        )
    }
}
