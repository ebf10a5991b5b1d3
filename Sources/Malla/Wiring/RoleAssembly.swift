// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import Callbacks
import Fairness
import Hummingbird
import HummingbirdCore
import Ledger
import Logging
import Plumbing
import ServiceAPI
import ServiceLifecycle
import ServiceWorker
import UnixSignals
import Workflow

/// Puts the roles together from parts; the same for real servers and for the embedded mesh.
struct RoleAssembly {
    let configuration: MeshConfiguration
    let parts: any MeshParts
    let telemetry: Telemetry
    var secrets: [String: String] = [:]
    /// The tokens that may change while the process runs (`TOKENS_FILE`).
    let tokens: TokensFile?
    private let shared = SharedFairness()
    /// How patient this role's HTTP server is.
    private let clients: ClientLimits

    init(
        configuration: MeshConfiguration,
        parts: any MeshParts,
        telemetry: Telemetry,
        secrets: [String: String] = [:]
    ) throws(ConfigurationError) {
        self.configuration = configuration
        self.parts = parts
        self.telemetry = telemetry
        self.secrets = secrets
        clients = try configuration.clientLimits()
        tokens = try configuration.tokensFile(logger: telemetry.logger)
    }

    /// The App API's services in the order in which they start, and its HTTP server, which comes after them all: it stops
    /// first.
    func appAPI(
        _ definitions: Definitions,
        handOver: any JobHandOver,
        host: String,
        port: Int,
        onServing: @escaping @Sendable () async -> Void = {}
    ) throws -> (api: AppAPI, services: [any Service], server: any Service) {
        let metrics = telemetry.metricsText
        let (ranking, limits) = try fairness(of: Array(definitions.services.keys))
        let appParts = AppParts(
            ledger: parts.ledger,
            broker: parts.broker,
            results: parts.results,
            media: parts.media,
            trustedHTTP: parts.trustedHTTP,
            guardedHTTP: parts.guardedHTTP,
            destinations: try configuration.guardedPolicy(),
            handOver: handOver,
            fairness: ranking,
            limits: limits,
            signedMedia: parts.signedMedia,
            metricsText: { metrics() },
            logger: telemetry.logger
        )
        let api = AppAPI(
            settings: try configuration.appSettings(secrets: secrets, tokens: tokens),
            catalog: AppCatalog(apps: Array(definitions.apps.values), services: Array(definitions.services.values)),
            parts: appParts
        )
        let server = serve(api.router(), host: host, port: port, onServing)
        return (api, api.services(), server)
    }

    /// The Service API's services, its HTTP server, and the admission for an App API in the same process.
    ///
    /// - Parameter known: all services, those among them that it does not serve.
    func serviceAPI(
        _ services: [String: ServiceDefinition],
        known: [String: ServiceDefinition],
        host: String,
        port: Int,
        onServing: @escaping @Sendable () async -> Void = {}
    ) throws -> (admission: Admission, services: [any Service], server: any Service) {
        let (ranking, limits) = try fairness(of: Array(services.keys))
        let clock = LedgerClock(parts.ledger)
        let webhooks = CallbackSender(
            delivery: CallbackDelivery(
                settings: try configuration.webhookSettings(secrets: secrets),
                trusted: parts.trustedHTTP,
                guarded: parts.guardedHTTP,
                ledger: parts.ledger,
                clock: clock,
                logger: telemetry.logger
            )
        )
        let api = ServiceAPI(
            settings: try configuration.serviceSettings(services, known: known, secrets: secrets, tokens: tokens),
            parts: ServiceParts(
                ledger: parts.ledger,
                clock: clock,
                broker: parts.broker,
                results: parts.results,
                media: parts.media,
                trustedHTTP: parts.trustedHTTP,
                ranking: ranking,
                limits: limits,
                callbacks: webhooks,
                destinations: try configuration.guardedPolicy(),
                metrics: telemetry.metricsText,
                logger: telemetry.logger
            )
        )
        return (api.admission, api.services(), serve(api.router(), host: host, port: port, onServing))
    }

    /// What gives out ranks and holds limits, the same for all APIs of this process.
    private func fairness(of services: [String]) throws -> (ranking: FairRanking, limits: LimitGate) {
        try shared.made {
            let file = try configuration.limits()
            return (
                FairRanking(ledger: parts.ledger, limits: file, services: services, logger: telemetry.logger),
                LimitGate(file: file, results: parts.results, ledger: parts.ledger, logger: telemetry.logger)
            )
        }
    }

    /// A worker for these services.
    func worker(_ services: [String: ServiceDefinition]) throws -> ServiceWorker {
        // Jobs of a remote service are claimed over HTTP, by nobody here.
        var settings = try configuration.workerSettings(services.filter { $0.value.engine != .remote })
        settings.sharesResults = !parts.keepsResultsToItself
        let making = EngineMaking(parts: parts, settings: configuration.engineSettings(), logger: telemetry.logger)
        return ServiceWorker(
            settings,
            ports: WorkerPorts(
                ledger: parts.ledger,
                broker: parts.broker,
                results: parts.results,
                media: parts.media
            ),
            engines: try making.engines(of: settings.services),
            log: telemetry.logger
        )
    }

    /// An HTTP server for a router.
    func serve<Context: InitializableFromSource>(
        _ router: Router<Context>,
        host: String,
        port: Int,
        _ onServing: @escaping @Sendable () async -> Void
    ) -> any Service where Context: RequestContext, Context.Source == ApplicationRequestContextSource {
        let limits = clients
        return Application(
            router: router,
            server: HTTPServerBuilder { GuardedChannel(responder: $0, limits: limits) },
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { _ in await onServing() },
            logger: telemetry.logger
        )
    }

    /// Migrates the ledger if the configuration says so, and learns where its queues stand, waiting for a server that is
    /// not up yet.
    func prepareLedger() async throws {
        let mayMigrate = try configuration.bool("MIGRATE_ON_START", default: true)
        try await untilTheLedgerAnswers { () async throws(LedgerError) in
            if mayMigrate { try await parts.ledger.migrate() } else { try await parts.ledger.ping() }
            try await shared.learn()
        }
    }

    /// Repeats a call while the ledger can't be reached, with one line in the log.
    func untilTheLedgerAnswers(_ call: () async throws -> Void) async throws {
        let backoff = Backoff(base: .milliseconds(200), cap: .seconds(5))
        var failures = 0
        while true {
            do {
                return try await call()
            } catch let error as LedgerError where error.isRetriable {
                failures += 1
                if failures == 1 {
                    telemetry.logger.warning(
                        "the ledger does not answer yet; waiting for it",
                        metadata: [LogKey.error: "\(error)"]
                    )
                }
                try await Task.sleep(for: backoff.delay(afterFailures: failures))
            }
        }
    }

    /// Runs services until SIGTERM or SIGINT, then stops them in reverse order and closes the parts.
    func run(_ services: [any Service]) async throws {
        // At debug it writes down every service with all that is in it, settings and their URLs as well.
        var logger = telemetry.logger
        logger.logLevel = max(logger.logLevel, .info)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        do {
            try await group.run()
        } catch {
            await parts.close()
            throw error
        }
        await parts.close()
    }
}
