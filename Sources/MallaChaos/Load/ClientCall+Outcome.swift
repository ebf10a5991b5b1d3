// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

extension ClientCall {
    /// Whether the same call may go well later: no answer, too many calls, or a server that is away.
    var isExcuse: Bool {
        guard let status else { return true }
        return status == 429 || status >= 500
    }

    /// The task's id in the answer of a call that was accepted.
    var acceptedTask: String? { status == 200 ? answer["response"]?["taskId"]?.string : nil }

    /// How the task ended, by the envelope of a poll; nil while it is under way or when this is no such envelope.
    var verdict: Verdict? { status == 200 ? Verdict(envelope: answer) : nil }
}

extension Verdict {
    /// Reads how a task ended out of the envelope of `/result` or of a callback; nil while it is under way.
    init?(envelope: JSON) {
        guard let code = envelope["errorCode"]?["status"]?.string?.split(separator: "_").last else { return nil }
        switch code {
        case "001", "002": return nil
        case "000": self = .succeeded
        case "499": self = .cancelled
        case "500": self = .timedOut
        default: self = .failed
        }
    }
}
