// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Explain
import Hummingbird
import Ledger
import Plumbing
import Workflow

/// `POST /tasks/{task}/cancel`, `GET /tasks/{task}/explain`, `GET /tasks/{task}/callbacks`,
/// `POST /tasks/{task}/callbacks/replay`.
struct TaskRoutes: Sendable {
    let marketplace: Marketplace
    let answer: TaskAnswer

    /// Cancels a task and its jobs; one that has ended is answered as it is.
    func cancel(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let (caller, app, view) = try await find(request, context)
        guard view.task.state == .running else { return Response(json: try await answer.envelope(view)) }
        do throws(LedgerError) {
            let outcome = try await marketplace.parts.ledger.settle(
                [],
                tasks: [TaskSettlement(task: view.task.id, event: .cancelled)],
                finishing: marketplace.planning.finishing
            )
            marketplace.followUp.settled(outcome)
        } catch {
            throw marketplace.refusal(of: error)
        }
        let after = try await marketplace.task(context.parameters.get("task"), caller, app)
        return Response(json: try await answer.envelope(after))
    }

    /// Says why a task is where it is; workers and what their handlers wrote are for admins alone.
    func explain(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let (caller, _, view) = try await find(request, context)
        let parts = marketplace.parts
        let explainer = Explainer(
            ledger: parts.ledger,
            broker: parts.broker,
            results: parts.results,
            media: parts.media,
            services: marketplace.catalog.services
        )
        let explanation: Explanation?
        do throws(LedgerError) { explanation = try await explainer.explain(view.task.id) } catch {
            throw marketplace.refusal(of: error)
        }
        guard let explanation else {
            throw MarketplaceRefusal.notFound("the task was deleted meanwhile").of(view.task.app)
        }
        return success(caller.role == .admin ? explanation.json : explanation.clientJSON, view, context)
    }

    /// Lists a task's callbacks with their attempts.
    func callbacks(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let (_, _, view) = try await find(request, context)
        let found: [(callback: CallbackRecord, attempts: [CallbackAttempt])]
        do throws(LedgerError) { found = try await marketplace.parts.ledger.callbacks(of: view.task.id) } catch {
            throw marketplace.refusal(of: error)
        }
        let list = found.map { Self.json($0.callback, $0.attempts) }
        return success(["taskId": .string(view.task.id.description), "callbacks": .array(list)], view, context)
    }

    /// Sends a task's callbacks again, the same bytes under the same ids.
    func replay(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let (_, _, view) = try await find(request, context)
        let count: Int
        do throws(LedgerError) { count = try await marketplace.parts.ledger.replayCallbacks(of: view.task.id) } catch {
            throw marketplace.refusal(of: error)
        }
        guard count > 0 else {
            let reason = view.task.state == .running ? "it has not ended" : "it has no receiver"
            throw MarketplaceRefusal.notFound("the task has no callback: \(reason)").of(view.task.app)
        }
        let number: JSON = .number(JSONNumber(count))
        return success(["taskId": .string(view.task.id.description), "replayed": number], view, context)
    }

    private func find(
        _ request: Request,
        _ context: MarketplaceContext
    ) async throws -> (CallerIdentity, AppDefinition?, TaskView) {
        let caller = try await marketplace.identify(request.headers)
        let app = try marketplace.app(of: context, caller)
        return (caller, app, try await marketplace.task(context.parameters.get("task"), caller, app))
    }

    private func success(_ response: JSON, _ view: TaskView, _ context: MarketplaceContext) -> Response {
        Response(
            json: marketplace.writer.envelope(
                requestID: context.requestID,
                traceID: context.trace.traceID,
                duration: nil,
                isImmediate: true,
                response: response,
                code: .success,
                reason: "success",
                app: view.task.app
            )
        )
    }

    /// Where it goes; the operator's own receiver without its query, which may hold a token.
    private static func shownURL(_ callback: CallbackRecord) -> String {
        callback.isTrusted ? String(callback.url.prefix { $0 != "?" }) : callback.url
    }

    private static func json(_ callback: CallbackRecord, _ attempts: [CallbackAttempt]) -> JSON {
        [
            "id": .string(callback.id.description), "url": .string(shownURL(callback)),
            "state": .string(callback.state.rawValue), "createdAt": .string(callback.createdAt.rfc3339),
            "dueAt": callback.state == .pending ? .string(callback.dueAt.rfc3339) : .null,
            "attempts": .array(attempts.map(json)),
        ]
    }

    private static func json(_ attempt: CallbackAttempt) -> JSON {
        [
            "number": .number(JSONNumber(attempt.number)), "startedAt": .string(attempt.startedAt.rfc3339),
            "durationMs": .number(JSONNumber(Int(attempt.duration.wholeMilliseconds))),
            "status": attempt.status.map { .number(JSONNumber($0)) } ?? .null,
            "error": attempt.error.map { .string($0) } ?? .null,
        ]
    }
}
