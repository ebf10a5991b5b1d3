// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A text of a definition that may name variables of the environment: `${NAME}` or `${NAME:-default}`.
///
/// A variable that is set to nothing counts as not set. A default may name variables itself:
/// `${QWEN_AUDIO_API_KEY:-${LLM_API_KEY}}`. Every other `$` stands for itself.
public struct EnvironmentText: Sendable, Hashable {
    private indirect enum Part: Sendable, Hashable {
        case text(String)
        case variable(String, otherwise: [Part])
    }

    private let parts: [Part]

    /// Takes a text apart; nil when a `${` is not closed or names no variable.
    public init?(_ text: String) {
        var rest = Array(text.unicodeScalars)[...]
        guard let parts = Self.parts(of: &rest, inDefault: false) else { return nil }
        self.parts = parts
    }

    /// The variables that it names, in their order.
    public var variables: [String] { Self.variables(of: parts) }

    /// The text with the values of these variables; one that is not set and has no default is nothing.
    public func expanded(in environment: [String: String]) -> String { Self.expand(parts, environment) }

    /// A text with the values of these variables; as it is when it can't be taken apart.
    public static func expand(_ text: String, in environment: [String: String]) -> String {
        EnvironmentText(text)?.expanded(in: environment) ?? text
    }

    private static func expand(_ parts: [Part], _ environment: [String: String]) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .text(let plain): text += plain
            case .variable(let name, let otherwise):
                let value = environment[name] ?? ""
                text += value.allSatisfy(\.isWhitespace) ? expand(otherwise, environment) : value
            }
        }
        return text
    }

    private static func variables(of parts: [Part]) -> [String] {
        parts.flatMap { part -> [String] in
            guard case .variable(let name, let otherwise) = part else { return [] }
            return [name] + variables(of: otherwise)
        }
    }

    /// The parts up to the end, or in a default up to its `}`, which is left.
    private static func parts(of rest: inout ArraySlice<Unicode.Scalar>, inDefault: Bool) -> [Part]? {
        var parts: [Part] = []
        var plain = String.UnicodeScalarView()
        while let scalar = rest.first, !(inDefault && scalar == "}") {
            rest.removeFirst()
            guard scalar == "$", rest.first == "{" else {
                plain.append(scalar)
                continue
            }
            rest.removeFirst()
            guard let variable = variable(of: &rest) else { return nil }
            if !plain.isEmpty { parts.append(.text(String(plain))) }
            plain = String.UnicodeScalarView()
            parts.append(variable)
        }
        if !plain.isEmpty { parts.append(.text(String(plain))) }
        return parts
    }

    private static func variable(of rest: inout ArraySlice<Unicode.Scalar>) -> Part? {
        let name = rest.prefix { $0 == "_" || ($0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0))) }
        guard let first = name.first, !("0"..."9").contains(first) else { return nil }
        rest = rest.dropFirst(name.count)
        var otherwise: [Part] = []
        if rest.starts(with: [":", "-"]) {
            rest = rest.dropFirst(2)
            guard let parts = parts(of: &rest, inDefault: true) else { return nil }
            otherwise = parts
        }
        guard rest.popFirst() == "}" else { return nil }
        return .variable(String(String.UnicodeScalarView(name)), otherwise: otherwise)
    }
}

extension JSON {
    /// The value with the values of these variables in every text; names of members stay as they are.
    public func expanded(in environment: [String: String]) -> JSON {
        switch self {
        case .string(let text): .string(EnvironmentText.expand(text, in: environment))
        case .array(let elements): .array(elements.map { $0.expanded(in: environment) })
        case .object(let object):
            .object(JSONObject(object.members.map { ($0.name, $0.value.expanded(in: environment)) }))
        case .null, .bool, .number: self
        }
    }
}
