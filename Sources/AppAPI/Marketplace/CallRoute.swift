// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Crypto
import Fairness
import Hummingbird
import Ledger
import Plumbing
import Workflow

/// `POST /call`: takes a request and answers with its task before any work is done.
struct CallRoute: Sendable {
    private let marketplace: Marketplace
    private let media: PayloadMedia

    init(marketplace: Marketplace, media: PayloadMedia) {
        self.marketplace = marketplace
        self.media = media
    }

    func handle(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let caller = try await marketplace.identify(request.headers)
        let app = try marketplace.app(of: context, caller)
        do {
            return try await call(request, context, caller, app)
        } catch let refusal as MarketplaceRefusal {
            throw refusal.of(app?.name)
        }
    }

    private func call(
        _ request: Request,
        _ context: MarketplaceContext,
        _ caller: CallerIdentity,
        _ app: AppDefinition?
    ) async throws -> Response {
        guard let body = try await marketplace.body(of: request), body.object != nil else {
            throw MarketplaceRefusal.invalid("body", "a JSON object with method and payload is required")
        }
        let (app, definition) = try self.definition(of: body, app, caller)
        do throws(MarketplaceRefusal) {
            let id = try await accept(body, context, caller, app, definition)
            return Response(
                json: marketplace.writer.envelope(
                    requestID: context.requestID,
                    traceID: context.trace.traceID,
                    duration: nil,
                    isImmediate: false,
                    response: ["taskId": .string(id.description)],
                    code: .pending,
                    reason: "pending",
                    app: app.name
                )
            )
        } catch {
            throw error.of(app.name)
        }
    }

    /// Makes the task of a request, or finds the one that the same request made before.
    private func accept(
        _ body: JSON,
        _ context: MarketplaceContext,
        _ caller: CallerIdentity,
        _ app: AppDefinition,
        _ definition: WorkflowDefinition
    ) async throws(MarketplaceRefusal) -> TaskID {
        let user = "\(app.name)/\(caller.user)"
        let overload = try marketplace.intake.overload(definition, user: user)
        // Nothing dear is done for a flood: not even a look whether it is made of repeats.
        if let overload, !overload.mayLookUp { throw .overloaded(overload) }
        let callbackURL = try await self.callbackURL(of: body)
        let given = body["payload"] ?? [:]
        let fingerprint = Self.fingerprint(definition.method, callbackURL, given)
        // The ledger tells repeats apart when it stores them. It is asked before only where a repeat would not get that
        // far: a URL may be good for one read only, and a full backlog or a limit refuses what is new.
        let refusal =
            overload == nil ? await marketplace.parts.limits.checkJobs(user: user, token: caller.token) : nil
        let isStopped = overload != nil || refusal != nil || marketplace.intake.isFull(definition)
        if isStopped || PayloadMedia.fetches(given, definition.input?.source) {
            let known = try await marketplace.intake.earlier(
                app: app.name,
                user: caller.user,
                request: context.requestID,
                fingerprint: fingerprint
            )
            if let known { return known }
        }
        if let overload { throw .overloaded(overload) }
        if let refusal { throw .limited(refusal) }
        try await marketplace.intake.admit(definition)
        let payload = try await media.resolve(
            given,
            schema: definition.input?.source,
            caller: caller
        )
        if let violation = definition.input?.validate(payload).first {
            throw MarketplaceRefusal.invalid("payload\(violation.path)", violation.message)
        }
        let now = marketplace.parts.clock.now
        let task = TaskRecord(
            id: MeshID(at: now),
            app: app.name,
            method: definition.method,
            user: caller.user,
            role: caller.role.rawValue,
            request: context.requestID,
            fingerprint: fingerprint,
            trace: context.trace.traceparent,
            callbackURL: callbackURL,
            payload: payload.bytes,
            definition: definition.hash,
            createdAt: now,
            deadline: now + definition.deadline
        )
        return try await marketplace.intake.accept(marketplace.planning.plan(task, definition))
    }

    /// The workflow that a request names, and its app.
    private func definition(
        of body: JSON,
        _ app: AppDefinition?,
        _ caller: CallerIdentity
    ) throws(MarketplaceRefusal) -> (AppDefinition, WorkflowDefinition) {
        guard let method = body["method"]?.string else { throw .invalid("method", "a string is required") }
        let candidates = app.map { [$0] } ?? marketplace.apps(of: caller)
        let having = candidates.filter { $0.methods[method] != nil }
        guard let chosen = having.first, let definition = chosen.methods[method] else {
            let known = Set(candidates.flatMap(\.methods.keys)).sorted().joined(separator: ", ")
            throw MarketplaceRefusal(
                .unsupported,
                .badRequest,
                "method: '\(method.prefix(100))' is not supported; there are: \(known)"
            )
        }
        guard having.count == 1 else {
            let paths = having.map { "/\($0.name)/call" }.joined(separator: ", ")
            throw MarketplaceRefusal(
                .unsupported,
                .badRequest,
                "method: several apps have '\(method)'; use one of \(paths)"
            )
        }
        return (chosen, definition)
    }

    private func callbackURL(of body: JSON) async throws(MarketplaceRefusal) -> String? {
        guard let value = body["callbackUrl"], value != .null else {
            // Passed over, it would be missed only when the callback does not come.
            let like = body.object?.names.first { $0.filter { $0 != "_" && $0 != "-" }.lowercased() == "callbackurl" }
            guard let like, like != "callbackUrl" else { return nil }
            throw .invalid(like, "write it 'callbackUrl'")
        }
        guard let url = value.string else { throw .invalid("callbackUrl", "a URL as a string is required") }
        if url == marketplace.settings.callbackURL { return url }
        guard URLOrigin(url) != nil else {
            throw .invalid("callbackUrl", "an absolute http or https URL without user info, at most 2048 bytes")
        }
        if let reason = await marketplace.parts.destinations.refusal(of: url) {
            throw .invalid("callbackUrl", "it may not be called: \(reason)")
        }
        return url
    }

    /// Tells a repeat from a clash: the body as it came, whatever its media resolve to later.
    static func fingerprint(_ method: String, _ callbackURL: String?, _ payload: JSON) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: Array("\(method)\0\(callbackURL ?? "")\0".utf8))
        hash.update(data: payload.bytes)
        return Array(hash.finalize())
    }
}
