// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Plumbing
import Workflow

/// `POST /stats` and `GET /stats`: the numbers of a user, or of all for an admin.
struct StatsRoute: Sendable {
    private let marketplace: Marketplace
    private let desk: NumbersDesk

    init(marketplace: Marketplace) {
        self.marketplace = marketplace
        desk = NumbersDesk(ledger: marketplace.parts.ledger)
    }

    func handle(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let caller = try await marketplace.identify(request.headers)
        let app = try marketplace.app(of: context, caller)
        do {
            let body = request.method == .post ? try await marketplace.body(of: request) : nil
            guard body == nil || body?.object != nil else {
                throw MarketplaceRefusal.invalid("body", "a JSON object, or none")
            }
            let query = try Query(body: body, request: request)
            let user = try subject(of: query, caller)
            var numbers: [(app: AppDefinition, numbers: [Numbers])] = []
            for app in app.map({ [$0] }) ?? marketplace.apps(of: caller) {
                let query = NumbersQuery(app: app.name, user: user, from: query.from, to: query.to)
                numbers.append((app, try await self.numbers(query)))
            }
            return Response(
                json: marketplace.writer.envelope(
                    requestID: context.requestID,
                    traceID: context.trace.traceID,
                    duration: nil,
                    isImmediate: true,
                    response: StatsAnswer(numbers).json(of: user),
                    code: .success,
                    reason: "success",
                    app: app?.name
                )
            )
        } catch let refusal as MarketplaceRefusal {
            throw refusal.of(app?.name)
        }
    }

    private func numbers(_ query: NumbersQuery) async throws(MarketplaceRefusal) -> [Numbers] {
        do throws(LedgerError) { return try await desk.numbers(query) } catch {
            throw marketplace.refusal(of: error)
        }
    }

    /// Whose numbers: the caller's, or for an admin anyone's or everyone's (nil).
    private func subject(of query: Query, _ caller: CallerIdentity) throws(MarketplaceRefusal) -> String? {
        if caller.role == .admin { return query.user }
        guard query.user == nil || query.user == caller.user else {
            throw MarketplaceRefusal(
                .unsupported,
                .forbidden,
                "userId: only the role admin may ask for another user's numbers"
            )
        }
        return caller.user
    }

    private struct Query {
        var user: String?
        var from: Timestamp?
        var to: Timestamp?

        init(body: JSON?, request: Request) throws(MarketplaceRefusal) {
            func text(_ name: String) throws(MarketplaceRefusal) -> String? {
                if let value = body?[name], value != .null {
                    guard let text = value.string else { throw .invalid(name, "a string is required") }
                    return text
                }
                return request.uri.queryParameters[name[...]].map { String($0) }
            }
            user = try text("userId").flatMap { $0.isEmpty ? nil : $0 }
            guard CallerGate.isPlain(user ?? "", longest: 200) else {
                throw .invalid("userId", "at most 200 bytes without control characters")
            }
            from = try Self.moment("from", text("from"))
            to = try Self.moment("to", text("to"))
            if let from, let to, from >= to { throw .invalid("from", "it must be before to") }
        }

        private static func moment(_ name: String, _ text: String?) throws(MarketplaceRefusal) -> Timestamp? {
            guard let text, !text.isEmpty else { return nil }
            guard let moment = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: "\(text)T00:00:00Z") else {
                throw .invalid(name, "a date or time in RFC 3339 is required, 2026-11-21 or 2026-11-21T00:05:16Z")
            }
            return moment
        }
    }
}
