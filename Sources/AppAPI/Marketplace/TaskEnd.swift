// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// How a task ended, in the marketplace's words.
struct TaskEnd: Sendable {
    let id: TaskID
    let app: String
    let requestID: String
    let traceID: String
    private(set) var code: MarketplaceCode
    private(set) var reason: String
    let duration: Duration

    /// Reads a finished task; nil while it is under way.
    init?(_ task: TaskRecord) {
        guard task.state != .running else { return nil }
        id = task.id
        app = task.app
        requestID = task.request
        traceID = task.trace.flatMap(TraceContext.traceID(of:)) ?? ""
        (code, reason) = Self.verdict(task)
        duration = (task.finishedAt ?? .now) - task.createdAt
    }

    /// The end of a task whose output can't be told: a success without its data would be a lie.
    var withUnreadableOutput: Self {
        var end = self
        end.code = .unknown
        end.reason = "the task succeeded, but its output can't be read"
        return end
    }

    private static func verdict(_ task: TaskRecord) -> (MarketplaceCode, String) {
        switch task.state {
        case .running, .succeeded: return (.success, "success")
        case .cancelled: return (.cancelled, "cancelled")
        case .timedOut:
            return (.timedOut, "the task's deadline of \(Quantity.text(task.deadline - task.createdAt)) passed")
        case .failed:
            guard let error = task.error else { return (.unknown, "failed") }
            let stage = task.failedStage.map { "stage \($0): " } ?? ""
            let field = error.field.map { $0.isEmpty ? "" : "\($0): " } ?? ""
            return (code(of: error.category), stage + field + error.message)
        }
    }

    private static func code(of category: JobError.Category) -> MarketplaceCode {
        switch category {
        case .invalidInput: .invalid
        case .timeout: .timedOut
        case .cancelled: .cancelled
        case .handler, .provider, .poison, .internal: .unknown
        }
    }
}
