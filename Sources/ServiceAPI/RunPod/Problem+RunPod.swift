// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Workflow

extension Problem {
    /// The problem as RunPod's clients read it: `error` says all in words, problem details' members lie beside it.
    ///
    /// What can't be processed is a 400. OpenAI's clients expect an object as `error`.
    func runPod(path: String) -> (status: HTTPResponse.Status, json: JSON) {
        var problem = self
        if status == .unprocessableContent { problem.status = .badRequest }
        if path.contains("/openai/v1/") {
            let json = OpenAIAnswer.error(detail, type: status.reasonPhrase)
            return (problem.status, problem.json.adding("error", json["error"] ?? .null))
        }
        let words = field.map { "\(detail) (\($0))" } ?? detail
        return (problem.status, problem.json.adding("error", .string(words)))
    }

    /// Whether a path belongs to the RunPod dialect.
    static func isRunPod(_ path: String) -> Bool { path.hasPrefix("/v2/") }
}
