// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Callbacks
public import Fairness

/// What an operator decides about an App API.
public struct AppSettings: Sendable {
    /// `apiVersion` in every answer (`API_VERSION`).
    public var apiVersion = "0.1.4"
    /// `service` in every answer (`API_NAME`).
    public var apiName = "Malla"
    /// The tokens that a caller may show (`MARKETPLACE_TOKEN`); the first that opens an app is
    /// the one that the app's callbacks carry.
    public var tokens: [String] = []
    /// Stands in for the tokens when it names the marketplace's (`TOKENS_FILE`).
    public var tokensFile: TokensFile?
    /// Where results go when a request names no URL (`MARKETPLACE_CALLBACK`); trusted.
    public var callbackURL: String?
    /// The secrets that sign callbacks (`CALLBACK_SECRET`).
    public var callbackSecrets: [WebhookSecret] = []
    /// Origins besides the callback URL's own that get the token (`CALLBACK_TOKEN_ORIGINS`).
    public var callbackTokenOrigins: [String] = []
    /// The largest body of a request in bytes (`MAX_BODY`).
    public var maxBody = 10 << 20
    /// How deep a request's JSON may nest.
    public var maxDepth = 64
    /// How long what is queued may need until new tasks are rationed (`OVERLOAD_WAIT`); zero for ever.
    public var patience: Duration = .seconds(5)
    /// The clock by which queues are timed; a test has its own.
    var queueClock: @Sendable () -> ContinuousClock.Instant = { .now }
    /// How long an answer may take.
    public var requestTimeout: Duration = .seconds(30)
    /// How long an answer's URLs are valid.
    public var answerURLExpiry: Duration = .seconds(3600)
    /// How long a callback's URLs are valid.
    public var callbackURLExpiry: Duration = .seconds(7 * 86400)
    /// How long an upload's URL is valid.
    public var uploadURLExpiry: Duration = .seconds(3600)
    /// How long results stay in the result store (`RESULT_TTL`).
    public var resultTTL: Duration = .seconds(3600)
    /// How long finished tasks stay in the ledger (`RETENTION_DAYS`); nil for ever.
    public var retention: Duration? = .seconds(30 * 86400)
    /// The largest media in bytes that is fetched for a payload.
    public var fetchLimit = 64 << 20
    /// The delay before each attempt at a callback (`CALLBACK_RETRIES`); nil for those of the contract.
    public var callbackRetries: [Duration]?
    /// How long a receiver of callbacks may take for an attempt (`CALLBACK_TIMEOUT`).
    public var callbackTimeout: Duration = .seconds(15)
    /// The largest upload in bytes that a media store of files takes.
    public var uploadLimit = 1 << 30
    /// The largest `data:` URL in bytes, decoded.
    public var dataURLLimit = 1 << 20
    /// How many media one payload may carry.
    public var maxMediaPerCall = 64
    /// How many messages with completions, each with up to 64, may be unsettled per app.
    public var completionsPrefetch = 256
    /// How many batches of completions are settled at once.
    public var settleLanes = 2
    /// The prefix of status codes where no app is known.
    public var defaultPrefix = "MA"

    /// Makes the defaults.
    public init() {}

    /// What callbacks need of it.
    var callbacks: CallbackSettings {
        CallbackSettings(
            secrets: callbackSecrets,
            token: { [tokens, tokensFile] app in
                NamedTokens.first(of: tokensFile?.entries(.marketplace) ?? tokens, opening: app)
            },
            callbackURL: callbackURL,
            tokenOrigins: callbackTokenOrigins,
            retries: callbackRetries,
            timeout: callbackTimeout
        )
    }
}
