// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Hummingbird
import Ledger
import Logging
import Plumbing
import ResultStore
import Workflow

/// What the marketplace's routes share.
struct Marketplace: Sendable {
    let settings: AppSettings
    let parts: AppParts
    let catalog: AppCatalog
    let gate: CallerGate
    let writer: EnvelopeWriter
    let answers: AnswerData
    let intake: TaskIntake
    let planning: TaskPlanning
    let followUp: CommitFollowUp

    /// Who calls; refused without a token, and beyond the requests that the token or the user may make.
    func identify(_ headers: HTTPFields) async throws(MarketplaceRefusal) -> CallerIdentity {
        let caller = try gate.identify(headers)
        if let refusal = await parts.limits.check(token: caller.token, user: caller.user) { throw .limited(refusal) }
        return caller
    }

    /// The app of the path, when it names one; refused when the caller's token does not open it.
    func app(
        of context: MarketplaceContext,
        _ caller: CallerIdentity
    ) throws(MarketplaceRefusal) -> AppDefinition? {
        guard let name = context.parameters.get("app") else { return nil }
        // Before it is looked for: a token of one app learns nothing of the others.
        guard caller.opens(name) else {
            throw MarketplaceRefusal(
                .unsupported,
                .forbidden,
                "the token '\(caller.token)' does not open the app '\(name.prefix(64))'"
            )
        }
        guard let app = catalog.apps[name] else {
            let open = apps(of: caller).map(\.name)
            throw .notFound("there is no app '\(name)'; there are: \(open.joined(separator: ", "))")
        }
        return app
    }

    /// The body as JSON; nil when there is none.
    func body(of request: Request) async throws -> JSON? {
        let tooLarge = MarketplaceRefusal(
            .invalid,
            .contentTooLarge,
            "the body is larger than the limit of \(settings.maxBody) bytes"
        )
        // A length that is no Int is a larger one.
        if let length = request.headers[.contentLength], Int(length).map({ $0 > settings.maxBody }) ?? true {
            throw tooLarge
        }
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: settings.maxBody)
        } catch let error as any HTTPResponseError where error.status.code == 413 {
            throw tooLarge
        } catch let error as CancellationError {
            throw error
        } catch {
            throw MarketplaceRefusal.invalid("body", "it broke off before its end, or its chunks can't be read")
        }
        let bytes = Array(buffer.readableBytesView)
        guard !bytes.isEmpty else { return nil }
        do throws(JSONError) {
            return try JSON(parsing: bytes, maxDepth: settings.maxDepth)
        } catch {
            throw MarketplaceRefusal.invalid(
                "body",
                "not valid JSON: \(error.message) (at byte \(error.offset))"
            )
        }
    }

    /// A task that this caller may see; one of another's looks like none.
    func task(
        _ text: String?,
        _ caller: CallerIdentity,
        _ app: AppDefinition?
    ) async throws(MarketplaceRefusal) -> TaskView {
        let id = try taskID(text)
        let view: TaskView?
        do throws(LedgerError) { view = try await parts.ledger.task(id) } catch {
            throw refusal(of: error)
        }
        guard let view else { throw Self.unknownTask(id).of(app?.name) }
        do throws(MarketplaceRefusal) { try requireVisible(view.task, caller, app) } catch { throw error.of(app?.name) }
        return view
    }

    /// Why the ledger keeps a route from answering; a fault of ours goes into the log.
    func refusal(of error: LedgerError) -> MarketplaceRefusal {
        if !error.isRetriable { parts.logger.error("the ledger refused", metadata: [LogKey.error: "\(error)"]) }
        return .ledger(error)
    }

    /// The id of a task in a request.
    func taskID(_ text: String?) throws(MarketplaceRefusal) -> TaskID {
        guard let text, !text.isEmpty else { throw .invalid("taskId", "the task's id is required") }
        // What is no id can't be a task's: the same answer, so that probing tells nothing.
        guard let id = MeshID(text) else { throw .notFound("there is no task '\(text.prefix(64))'") }
        return id
    }

    /// The apps that a request without an app in its path may mean.
    func apps(of caller: CallerIdentity) -> [AppDefinition] {
        catalog.names.filter(caller.opens).compactMap { catalog.apps[$0] }
    }

    /// Checks that a task is one of these apps and that this caller may see it.
    ///
    /// - Throws: a refusal, which tells of an app that is not served here only whoever may know of it.
    func requireVisible(_ task: TaskRecord, _ caller: CallerIdentity, _ app: AppDefinition?) throws(MarketplaceRefusal)
    {
        guard caller.maySee(task.user), caller.opens(task.app), app == nil || app?.name == task.app else {
            throw Self.unknownTask(task.id)
        }
        guard catalog.apps[task.app] != nil else {
            throw .notFound("the task is one of the app '\(task.app)', which is not served here")
        }
    }

    private static func unknownTask(_ id: TaskID) -> MarketplaceRefusal { .notFound("there is no task '\(id)'") }
}
