// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Workflow

/// One try of one upstream, as a result records it.
struct UpstreamAttempt: Sendable {
    let provider: String
    let model: String?
    let duration: Duration
    /// Why it failed; nil for a success.
    let error: String?
    /// Whether it was not tried at all.
    var isSkipped = false

    /// The record: `provider`, `model`, `status`, `duration_ms` and `error`.
    var json: JSON {
        [
            "provider": .string(provider), "model": model.map { .string($0) } ?? .null,
            "status": isSkipped ? "skipped" : error == nil ? "completed" : "failed",
            "duration_ms": .number(JSONNumber(Int(duration.wholeMilliseconds))),
            "error": error.map { .string($0) } ?? .null,
        ]
    }
}
