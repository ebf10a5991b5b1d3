// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What an operator decides about callbacks: how they are signed, and who gets the token.
public struct CallbackSettings: Sendable {
    /// The secrets that sign callbacks (`CALLBACK_SECRET`); each adds a signature.
    public var secrets: [WebhookSecret]
    /// The token that an app's callbacks to the operator's own origins carry, as it stands now; nil for none.
    public var token: @Sendable (_ app: String) -> String?
    /// The operator's own receiver (`MARKETPLACE_CALLBACK`); its origin gets the token.
    public var callbackURL: String?
    /// The other origins that get the token (`CALLBACK_TOKEN_ORIGINS`).
    public var tokenOrigins: [String]

    /// The delay before each attempt at a task's callback (`CALLBACK_RETRIES`); nil for those of Standard Webhooks.
    public var retries: [Duration]?
    /// How long a receiver may take for the whole of an attempt (`CALLBACK_TIMEOUT`).
    public var timeout: Duration

    /// Makes settings; without any, callbacks are neither signed nor carry a token.
    public init(
        secrets: [WebhookSecret] = [],
        token: @escaping @Sendable (_ app: String) -> String? = { _ in nil },
        callbackURL: String? = nil,
        tokenOrigins: [String] = [],
        retries: [Duration]? = nil,
        timeout: Duration = .seconds(15)
    ) {
        self.secrets = secrets
        self.token = token
        self.callbackURL = callbackURL
        self.tokenOrigins = tokenOrigins
        self.retries = retries
        self.timeout = timeout
    }
}
