// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A call of a client to an App API, and what came back.
struct ClientCall: Sendable, Hashable {
    /// What was asked for.
    enum Kind: String, Sendable, Hashable {
        case submit
        case poll
        case cancel
        case statistics
        case replay
        case upload
        case download
    }

    let kind: Kind
    /// The key of the planned task; empty for calls about none.
    let key: String
    /// The task's id, when it is known.
    let task: String?
    /// When it was sent and when its answer was complete, seconds since 1970.
    let began: Double
    let ended: Double
    /// The HTTP status; nil when no answer came.
    let status: Int?
    /// The answer's body; null when there was none.
    let answer: JSON
    /// The App API that was asked; nil when that is not known.
    var api: Role?
}
