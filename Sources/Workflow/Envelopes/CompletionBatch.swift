// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Several completions for one queue in one message: a broker's work is by the message, not by the byte.
///
/// As a message: one line of JSON, the list of the bodies' sizes in bytes, then the bodies one after the other. A
/// completion's own body begins with a brace, so that the two are told apart at a glance.
public enum CompletionBatch {
    /// How many completions travel in one message at most.
    public static let maxCount = 64

    /// How many bytes of bodies travel in one message at most, unless one alone has more.
    public static let maxBytes = 128 << 10

    /// The body of a message that holds these bodies; a single one travels as it is.
    public static func body(of bodies: [[UInt8]]) -> [UInt8] {
        guard bodies.count != 1 else { return bodies[0] }
        return MessageForm.body(.array(bodies.map { .number(JSONNumber($0.count)) }), bodies)
    }

    /// The bodies that a message's body holds; one that is no batch is its only one.
    ///
    /// - Throws: ``EnvelopeError`` when the sizes can't be read, or don't add up to what follows.
    public static func bodies(of body: [UInt8]) throws(EnvelopeError) -> [[UInt8]] {
        guard body.first == UInt8(ascii: "[") else { return [body] }
        let (head, rest) = try MessageForm.split(body)
        guard let sizes = head.array else { throw EnvelopeError("a batch without sizes") }
        guard (1...maxCount).contains(sizes.count) else { throw EnvelopeError("a batch of \(sizes.count)") }
        return try MessageForm.cut(rest, into: sizes.map(\.int))
    }
}
