// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Hummingbird
import Ledger
import Plumbing

/// Why a request is refused: answered with the envelope, a code, and a reason that the caller can act on.
struct MarketplaceRefusal: Error, Sendable {
    var code: MarketplaceCode
    var status: HTTPResponse.Status
    var reason: String
    /// When to come back, for limits.
    var retryAfter: Duration?
    /// The app whose prefix the code gets; nil for the default.
    var app: String?

    init(
        _ code: MarketplaceCode,
        _ status: HTTPResponse.Status,
        _ reason: String,
        retryAfter: Duration? = nil,
        app: String? = nil
    ) {
        self.code = code
        self.status = status
        self.reason = reason
        self.retryAfter = retryAfter
        self.app = app
    }

    /// A wrong field: which, and what would be right.
    static func invalid(_ field: String, _ reason: String) -> Self {
        Self(.invalid, .badRequest, field.isEmpty ? reason : "\(field): \(reason)")
    }

    /// What is not there, or not this caller's: the two look the same.
    static func notFound(_ reason: String) -> Self { Self(.notFound, .notFound, reason) }

    /// More than the token or the user may have.
    static func limited(_ refusal: LimitRefusal) -> Self {
        Self(.notPermitted, .tooManyRequests, refusal.description, retryAfter: .seconds(refusal.retryAfter))
    }

    /// More waits than the mesh can do in a reasonable time.
    static func overloaded(_ refusal: QueuePace.Refusal) -> Self {
        let seconds = max(1, (refusal.retryAfter.wholeMilliseconds + 999) / 1000)
        return Self(
            .notPermitted,
            .tooManyRequests,
            "overload: what waits takes about \(Quantity.text(refusal.wait)); send the request again in \(seconds) s",
            retryAfter: .seconds(seconds)
        )
    }

    /// Media that must be read first while the store is away.
    static func mediaAway(_ reason: String) -> Self {
        Self(.mediaAway, .serviceUnavailable, "the media store does not answer: \(reason)", retryAfter: .seconds(5))
    }

    /// The ledger is away: nothing can be accepted or told.
    static func ledgerAway(_ reason: String) -> Self {
        Self(
            .unknown,
            .serviceUnavailable,
            "the ledger does not answer; send the request again with the same x-request-id: \(reason)",
            retryAfter: .seconds(2)
        )
    }

    /// The ledger failed: for a while, or by a fault of ours that coming back would not mend.
    static func ledger(_ error: LedgerError) -> Self {
        guard !error.isRetriable else { return ledgerAway(error.code.description) }
        return Self(.unknown, .internalServerError, "the ledger can't answer this request: \(error.code)")
    }

    /// With the prefix of this app.
    func of(_ app: String?) -> Self {
        var copy = self
        copy.app = copy.app ?? app
        return copy
    }
}
