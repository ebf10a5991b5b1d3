// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Workflow

/// The options of an engine, with the values of the worker's variables in them.
struct EngineOptions: Sendable {
    private let service: String
    private let values: JSON

    init(_ options: JSON, service: String, environment: [String: String]) {
        self.service = service
        values = options.expanded(in: environment)
    }

    /// A member as it is.
    subscript(_ name: String) -> JSON? { values[name] }

    /// A text; nil when it is not there or empty.
    func text(_ name: String) -> String? {
        guard let text = values[name]?.string, text.contains(where: { !$0.isWhitespace }) else { return nil }
        return text
    }

    /// A truth value.
    func flag(_ name: String, default fallback: Bool) throws(JobError) -> Bool {
        switch values[name] {
        case nil, .string(""): return fallback
        case .bool(let value): return value
        case .string(let text) where ["true", "1", "yes", "on"].contains(text.lowercased()): return true
        case .string(let text) where ["false", "0", "no", "off"].contains(text.lowercased()): return false
        default: throw wrong(name, "true or false")
        }
    }

    /// A whole number from 1.
    func count(_ name: String, default fallback: Int) throws(JobError) -> Int {
        guard let value = values[name], value != .string("") else { return fallback }
        guard let number = value.int ?? value.string.flatMap({ Int($0) }), number > 0 else {
            throw wrong(name, "a whole number from 1")
        }
        return number
    }

    /// A size in bytes.
    func size(_ name: String, default fallback: Int) throws(JobError) -> Int {
        guard let value = values[name], value != .string("") else { return fallback }
        guard let size = value.int ?? value.string.flatMap(Quantity.bytes), size > 0 else {
            throw wrong(name, "a size such as 16MiB")
        }
        return size
    }

    /// A map of texts.
    func texts(_ name: String) -> [(name: String, value: String)] {
        (values[name]?.object?.members ?? []).compactMap { member in
            member.value.string.map { (member.name, $0) }
        }
    }

    private func wrong(_ name: String, _ form: String) -> JobError {
        let value = values[name]?.text ?? "nothing"
        return JobError(.invalidInput, "the option '\(name)' of '\(service)' is \(value); it must be \(form)")
    }
}
