// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A JSON number as it was written, so that nothing is lost between a client and a handler.
public struct JSONNumber: Sendable, Hashable {
    /// The number's text, valid by RFC 8259, section 6.
    public let text: String

    /// Takes text that a parser has checked.
    init(checked text: String) { self.text = text }

    /// Makes a whole number.
    public init(_ value: Int) { text = String(value) }

    /// Makes a number; one that JSON can't write (infinite, not a number) becomes 0.
    public init(_ value: Double) {
        let isWhole = value == value.rounded() && abs(value) < 1e15
        text = !value.isFinite ? "0" : isWhole ? String(Int64(value)) : "\(value)"
    }

    /// The value as a whole number; nil when it has a fraction or does not fit.
    public var int: Int? {
        if let value = Int(text) { return value }
        return Double(text).flatMap { Int(exactly: $0) }
    }

    /// The value in double precision.
    public var double: Double { Double(text) ?? 0 }

    /// Compares values, not texts: `1.0` equals `1`.
    public static func == (left: JSONNumber, right: JSONNumber) -> Bool {
        left.text == right.text || left.double == right.double
    }

    /// Hashes the value, as equality compares it.
    public func hash(into hasher: inout Hasher) { hasher.combine(double) }
}
