// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Plumbing

/// Ends a route that takes too long: a body that never comes, a server that does not answer.
struct RouteTimeLimit: Sendable {
    let limit: Duration

    /// Runs a route for as long as the limit allows.
    func run<Value: Sendable>(_ route: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await TimeLimit.run(limit, orThrow: refusal, route)
    }

    private var refusal: MarketplaceRefusal {
        MarketplaceRefusal(
            .timedOut,
            .serviceUnavailable,
            "no answer within \(Quantity.text(limit)); send the request again with the same x-request-id",
            retryAfter: .seconds(5)
        )
    }
}
