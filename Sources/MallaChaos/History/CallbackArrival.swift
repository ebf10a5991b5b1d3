// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A callback as it reached the receiver.
struct CallbackArrival: Sendable, Hashable {
    /// When its body was complete, seconds since 1970.
    let at: Double
    /// The `webhook-id`.
    let id: String
    /// SHA-256 of the body, in hex.
    let bodyHash: String
    /// The body, parsed; null when it is no JSON.
    let body: JSON
    /// Whether its signature is right (Standard Webhooks).
    let isSigned: Bool
    /// The status that the receiver answered with; nil when it did not answer.
    let answered: Int?
}
