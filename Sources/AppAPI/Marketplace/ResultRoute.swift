// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Plumbing
import ResultStore
import Workflow

/// `POST /result`, `POST /result/{task}`, `GET /result/{task}`: how a task stands, and what came of it.
struct ResultRoute: Sendable {
    let marketplace: Marketplace
    let answer: TaskAnswer

    func handle(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let caller = try await marketplace.identify(request.headers)
        let app = try marketplace.app(of: context, caller)
        do {
            let text = try await taskText(request, context)
            return Response(json: try await result(text, caller, app))
        } catch let refusal as MarketplaceRefusal {
            throw refusal.of(app?.name)
        }
    }

    private func taskText(_ request: Request, _ context: MarketplaceContext) async throws -> String? {
        if let task = context.parameters.get("task") { return task }
        if let task = request.uri.queryParameters["taskId"] { return String(task) }
        let given = try await marketplace.body(of: request)?["taskId"]
        guard let given, given != .null else { return nil }
        guard let text = given.string else { throw MarketplaceRefusal.invalid("taskId", "a string is required") }
        return text
    }

    private func result(_ text: String?, _ caller: CallerIdentity, _ app: AppDefinition?) async throws -> JSON {
        let id = try marketplace.taskID(text)
        let cached = await cached(id)
        if let cached {
            try marketplace.requireVisible(cached.task, caller, app)
            // Written at the end of the run it lacks the stages; the ledger has them.
            if cached.stages != nil { return try await answer.envelope(cached) }
        }
        do throws(MarketplaceRefusal) {
            return try await answer.envelope(try await marketplace.task(text, caller, app))
        } catch {
            // While the ledger is away: a final answer is final, wherever it comes from.
            guard error.status == .serviceUnavailable, let cached else { throw error }
            return try await answer.envelope(cached)
        }
    }

    private func cached(_ id: TaskID) async -> FinalAnswer? {
        do throws(ResultStoreError) {
            return try await marketplace.parts.results.get(ResultKey(.task, id)).flatMap { FinalAnswer(bytes: $0) }
        } catch {
            // The store is disposable: the ledger knows.
            return nil
        }
    }
}
