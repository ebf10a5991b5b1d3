// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// One thing that a handler told while it ran, as it stands in the stream of its job and lease.
public struct HandlerEvent: Sendable, Hashable {
    /// What it is.
    public enum Kind: String, Sendable, Hashable {
        /// How far the handler is.
        case progress
        /// A part of the output.
        case partial
        /// A line for a person.
        case log
    }

    /// What it is.
    public var kind: Kind
    /// What was told, as JSON text.
    public var json: [UInt8]

    /// Makes an event.
    public init(_ kind: Kind, _ json: [UInt8]) {
        self.kind = kind
        self.json = json
    }

    /// The event as it is stored: a letter, then the JSON text as it is.
    public var bytes: [UInt8] { [kind.letter] + json }

    /// Reads a stored event; nil when it is none.
    public init?(bytes: [UInt8]) {
        guard let kind = [Kind.progress, .partial, .log].first(where: { $0.letter == bytes.first }) else { return nil }
        self.init(kind, Array(bytes.dropFirst()))
    }
}

extension HandlerEvent.Kind {
    fileprivate var letter: UInt8 {
        switch self {
        case .progress: UInt8(ascii: "p")
        case .partial: UInt8(ascii: "o")
        case .log: UInt8(ascii: "l")
        }
    }
}
