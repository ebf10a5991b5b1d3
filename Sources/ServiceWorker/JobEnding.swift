// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Workflow

/// What follows from how a handler ended and why it was stopped: pure.
enum JobEnding: Sendable, Hashable {
    /// The ledger is done with the lease.
    case forget
    /// The ledger has the last word: hold the lease until it says so.
    case park
    /// Others may run it.
    case handBack
    /// It failed.
    case fail(Completion.Failure)
    /// It has a result.
    case succeed([UInt8])

    init(outcome: HandlerOutcome, reason: StopReason?, neverRan: Bool, timeout: Duration) {
        switch (reason, outcome) {
        case (.forgotten, _): self = .forget
        // What came in time counts, whatever the worker wanted: the lease decides.
        case (_, .succeeded(let result)): self = .succeed(result)
        case (.hinted, _), (.deadline, _): self = .park
        case (.timedOut, _) where !neverRan:
            self = .fail(
                Completion.Failure(
                    JobError(
                        .timeout,
                        "the attempt took longer than its limit of \(Quantity.text(timeout))"
                    )
                )
            )
        case (nil, .failed(let error)), (.drained, .failed(let error)): self = .fail(Completion.Failure(error))
        case (nil, .died(let error)): self = .fail(Completion.Failure(error, handlerDied: true))
        default: self = .handBack
        }
    }

    /// The value of the metrics' `outcome`.
    var label: String {
        switch self {
        case .forget, .park: "stopped"
        case .handBack: "handed_back"
        case .succeed: "succeeded"
        case .fail(let failure) where failure.handlerDied: "died"
        case .fail(let failure): failure.error.category == .timeout ? "timeout" : "failed"
        }
    }
}
