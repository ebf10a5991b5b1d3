// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Completions
import Fairness
public import Hummingbird
import Ledger
import Logging
import Plumbing
public import ServiceLifecycle
import Workflow

/// The App API: takes marketplace requests, runs them as workflows, and calls back.
///
/// The wiring serves ``router()`` and runs ``services()``; in a `ServiceGroup` the services come before the HTTP
/// server, so that it stops first.
public struct AppAPI: Sendable {
    private let settings: AppSettings
    private let parts: AppParts
    let marketplace: Marketplace
    private let consumer: CompletionsConsumer
    private let timers: AppTimers
    private let sender: CallbackSender
    let backlog: BacklogGauge
    private let watch: BacklogWatch

    /// Wires the routes and services of one App API.
    public init(settings: AppSettings, catalog: AppCatalog, parts: AppParts) {
        self.settings = settings
        self.parts = parts
        let desk = HandOverDesk(
            port: parts.handOver,
            broker: parts.broker,
            ledger: parts.ledger,
            catalog: catalog,
            logger: parts.logger
        )
        let assignments = AssignmentDesk(
            broker: parts.broker,
            ledger: parts.ledger,
            handOver: desk,
            results: parts.results,
            ledgerClock: parts.clock,
            logger: parts.logger
        )
        let finishing = AppRunFinishing(
            settings: settings,
            catalog: catalog,
            media: parts.media,
            fairness: parts.fairness,
            assignments: assignments
        )
        let sender = CallbackSender(
            delivery: CallbackDelivery(
                settings: settings.callbacks,
                trusted: parts.trustedHTTP,
                guarded: parts.guardedHTTP,
                ledger: parts.ledger,
                clock: parts.clock,
                logger: parts.logger
            )
        )
        let backlog = BacklogGauge(
            ledger: parts.ledger,
            catalog: catalog,
            patience: settings.patience,
            clock: settings.queueClock,
            logger: parts.logger
        )
        let completions = catalog.names.map { QueueName.completions(app: $0) }
        self.backlog = backlog
        watch = BacklogWatch(gauge: backlog, completions: completions, broker: parts.broker, logger: parts.logger)
        let followUp = CommitFollowUp(
            desk: desk,
            assignments: assignments,
            results: parts.results,
            sender: sender,
            backlog: backlog,
            resultTTL: settings.resultTTL,
            logger: parts.logger
        )
        self.sender = sender
        marketplace = Marketplace(
            settings: settings,
            parts: parts,
            catalog: catalog,
            gate: CallerGate(tokens: settings.tokens, file: settings.tokensFile),
            writer: EnvelopeWriter(settings: settings, catalog: catalog),
            answers: AnswerData(media: parts.media),
            intake: TaskIntake(
                ledger: parts.ledger,
                broker: parts.broker,
                backlog: backlog,
                followUp: followUp,
                clock: settings.queueClock
            ),
            planning: TaskPlanning(finishing: finishing),
            followUp: followUp
        )
        consumer = CompletionsConsumer(
            broker: parts.broker,
            queues: completions,
            settling: CompletionSettling(
                ledger: parts.ledger,
                media: parts.media,
                finishing: finishing,
                followUp: followUp,
                logger: parts.logger
            ),
            prefetch: settings.completionsPrefetch,
            lanes: settings.settleLanes,
            fill: backlog.fill,
            offered: { assignments.note($0) },
            logger: parts.logger
        )
        timers = AppTimers(
            ledger: parts.ledger,
            timers: LedgerTimers(
                ledger: parts.ledger,
                clock: parts.clock,
                apps: catalog.names,
                finishing: finishing,
                limits: LedgerTimers.Limits(retention: settings.retention)
            ),
            apps: catalog.names,
            services: Set(catalog.services.keys),
            followUp: followUp,
            sender: sender,
            interval: .milliseconds(500),
            logger: parts.logger
        )
    }

    /// Keeps the workflows in the ledger, so that runs outlive the files, and learns where the services' queues stand, so
    /// that new jobs do not go before all that wait; to be done before serving.
    ///
    /// - Throws: `LedgerError`.
    public func storeDefinitions() async throws {
        try await parts.clock.refresh()
        try await parts.ledger.store(definitions: marketplace.catalog.definitions)
        parts.fairness.watch(marketplace.catalog.services.keys)
        try await parts.fairness.sync()
    }

    /// The long-running parts: tokens, ranks and limits, the watch over backlogs, the sender of callbacks, the consumer of
    /// completions, the timers.
    public func services() -> [any Service] {
        let tokens: [any Service] = settings.tokensFile.map { [$0] } ?? []
        return tokens + [parts.fairness, parts.limits, watch, sender, consumer, timers]
    }

    /// All routes.
    public func router() -> Router<MarketplaceContext> {
        let router = Router(context: MarketplaceContext.self)
        router.add(middleware: EnvelopeMiddleware(writer: marketplace.writer))
        addHealth(to: router)
        addMarketplace(to: router)
        addMedia(to: router)
        return router
    }

    private func addHealth(to router: Router<MarketplaceContext>) {
        let health = HealthRoutes(parts: parts, backlog: backlog)
        router.get("healthz") { _, _ in health.health() }
        router.get("readyz") { _, _ in await health.readiness() }
        router.get("metrics") { _, _ in await health.metrics() }
    }

    private func addMarketplace(to router: Router<MarketplaceContext>) {
        let limit = RouteTimeLimit(limit: settings.requestTimeout)
        let media = PayloadMedia(
            media: parts.media,
            client: parts.guardedHTTP,
            destinations: parts.destinations,
            settings: settings
        )
        let answer = TaskAnswer(marketplace: marketplace)
        let call = CallRoute(marketplace: marketplace, media: media)
        let result = ResultRoute(marketplace: marketplace, answer: answer)
        let stats = StatsRoute(marketplace: marketplace)
        let tasks = TaskRoutes(marketplace: marketplace, answer: answer)
        for path in ["", ":app/"] {
            add(.post, "\(path)call", to: router, limit, call.handle)
            add(.post, "\(path)result", to: router, limit, result.handle)
            add(.get, "\(path)result", to: router, limit, result.handle)
            add(.post, "\(path)result/:task", to: router, limit, result.handle)
            add(.get, "\(path)result/:task", to: router, limit, result.handle)
            add(.post, "\(path)stats", to: router, limit, stats.handle)
            add(.get, "\(path)stats", to: router, limit, stats.handle)
            add(.post, "\(path)tasks/:task/cancel", to: router, limit, tasks.cancel)
            add(.get, "\(path)tasks/:task/explain", to: router, limit, tasks.explain)
            add(.get, "\(path)tasks/:task/callbacks", to: router, limit, tasks.callbacks)
            add(.post, "\(path)tasks/:task/callbacks/replay", to: router, limit, tasks.replay)
        }
    }

    private func addMedia(to router: Router<MarketplaceContext>) {
        let limit = RouteTimeLimit(limit: settings.requestTimeout)
        let media = MediaRoutes(marketplace: marketplace)
        for path in ["", ":app/"] {
            add(.post, "\(path)upload", to: router, limit, media.upload)
            add(.get, "\(path)download", to: router, limit, media.download)
        }
        guard parts.signedMedia != nil else { return }
        // Media stream for as long as they take; the server's idle time-out ends those that stand still.
        router.on("media/**", method: .get, use: media.read)
        router.on("media/**", method: .head, use: media.read)
        router.on("media/**", method: .put, use: media.write)
    }

    private func add(
        _ method: HTTPRequest.Method,
        _ path: String,
        to router: Router<MarketplaceContext>,
        _ limit: RouteTimeLimit,
        _ handle: @escaping @Sendable (Request, MarketplaceContext) async throws -> Response
    ) {
        router.on(RouterPath(path), method: method) { request, context in
            try await limit.run { try await handle(request, context) }
        }
    }
}
