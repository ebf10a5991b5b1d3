// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A reference into the request, a stage's output, its errors, the fan-out's item or its index.
public struct Reference: Sendable, Hashable {
    /// What a reference looks into.
    public enum Root: Sendable, Hashable {
        /// The request's payload: `request#`.
        case request
        /// The output of a stage: `detect#`.
        case stage(String)
        /// The errors of a fan-out's failed items: `embed!errors#`.
        case errors(String)
        /// The element of a fan-out: `item#`.
        case item
        /// The element's number: `index#`.
        case index
    }

    /// What it looks into.
    public var root: Root
    /// The JSON Pointer's tokens, unescaped (RFC 6901).
    public var tokens: [String]

    /// Makes a reference.
    public init(root: Root, tokens: [String] = []) {
        self.root = root
        self.tokens = tokens
    }

    /// Reads a reference as definitions write it: `request#/image`, `detect#`, `embed!errors#/0`, `item#/box`, `index#`.
    ///
    /// - Throws: `ReferenceError` when it has no `#`, its root can be no stage's name or its pointer is none.
    public init(parsing text: String) throws(ReferenceError) {
        guard let mark = text.firstIndex(of: "#") else {
            throw ReferenceError(
                reference: text,
                reason: "has no '#'; write it as 'request#/field', 'stage#/field' or 'item#/field'"
            )
        }
        let name = String(text[..<mark])
        switch name {
        case "request": root = .request
        case "item": root = .item
        case "index": root = .index
        case _ where name.hasSuffix("!errors"): root = .errors(String(name.dropLast("!errors".count)))
        default: root = .stage(name)
        }
        switch root {
        case .stage(let stage), .errors(let stage):
            guard DefinitionName.isStage(stage) else {
                throw ReferenceError(
                    reference: text,
                    reason: "looks into '\(name)', which is neither request, item, index, a stage's name nor "
                        + "a stage's name with '!errors'"
                )
            }
        case .request, .item, .index: break
        }
        let pointer = String(text[text.index(after: mark)...])
        guard let tokens = JSONPointer.tokens(pointer) else {
            let reason =
                pointer.hasPrefix("/")
                ? "has a '~' that is neither '~0' (for ~) nor '~1' (for /)"
                : "has '\(pointer)' after the '#'; a JSON Pointer begins with '/': '\(name)#/\(pointer)'"
            throw ReferenceError(reference: text, reason: reason)
        }
        self.tokens = tokens
    }

    /// Finds what the pointer points to in its root's value, or nil when there is no such thing.
    public func resolve(in value: JSON) -> JSON? {
        JSONPointer.resolve(tokens, in: value)
    }

    /// The stage that it looks into, by name, or nil when it needs none.
    public var stage: String? {
        switch root {
        case .stage(let name), .errors(let name): name
        case .request, .item, .index: nil
        }
    }
}

extension Reference: CustomStringConvertible {
    /// The reference as a definition writes it.
    public var description: String {
        let name =
            switch root {
            case .request: "request"
            case .stage(let stage): stage
            case .errors(let stage): stage + "!errors"
            case .item: "item"
            case .index: "index"
            }
        return name + "#" + JSONPointer.text(tokens)
    }
}

extension Reference {
    /// What a root's value is, or nil when it has none now; a skipped stage's is `null`.
    public typealias Lookup = (Root) throws(ReferenceError) -> JSON?

    /// Finds the value, or nil when there is none; anything within a skipped stage's `null` is `null`.
    func find(_ lookup: Lookup) throws(ReferenceError) -> JSON? {
        guard let value = try lookup(root) else { return nil }
        if isSkipped(value) { return .null }
        return resolve(in: value)
    }

    /// Whether the value of the root is that of a stage that did not run.
    func isSkipped(_ value: JSON) -> Bool {
        guard case .stage = root, case .null = value else { return false }
        return true
    }
}
