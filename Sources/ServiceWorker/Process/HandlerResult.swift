// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// What a handler's result means for the engine; see ``RunPodResult``.
struct HandlerResult: Sendable {
    /// How the attempt ended.
    var outcome: HandlerOutcome
    /// Whether the handler asked for a fresh process (`refresh_worker`, sent as `stopPod`).
    var wantsRestart = false

    /// Reads one result, the parsed body of `job-done` or an entry of an exchange's `done`.
    init(_ body: JSON) {
        // Our own module gives a job back that it got too late, unrun.
        guard body["returned"]?.bool != true else {
            outcome = .handedBack
            return
        }
        let result = RunPodResult(body)
        wantsRestart = result.wantsRestart
        switch result.outcome {
        case .success(let output): outcome = .succeeded(output.bytes)
        case .failure(let error): outcome = .failed(error)
        }
    }

    /// A result that is not JSON at all.
    init(unreadable reason: String) {
        outcome = .failed(RunPodResult.unreadable(reason))
    }

    /// A result that has too many bytes.
    init(tooLarge limit: Int) {
        outcome = .failed(RunPodResult.tooLarge(limit))
    }
}
