// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How many callbacks to one receiver may be under way: more with each answer, half with each silence.
struct ReceiverWindow: Sendable {
    private static let first = 4
    private static let largest = 64

    /// How many may be under way.
    private(set) var size = first
    /// Whether the last one was not answered.
    private(set) var isSilent = false

    /// Takes note of an attempt: whether the receiver answered, with whatever status.
    mutating func note(answered: Bool) {
        size = answered ? min(size + 1, Self.largest) : max(size / 2, 1)
        isSilent = !answered
    }
}
