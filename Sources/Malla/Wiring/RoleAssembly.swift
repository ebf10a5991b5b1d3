// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import Hummingbird
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
        let appParts = AppParts(
            ledger: parts.ledger,
            broker: parts.broker,
            results: parts.results,
            media: parts.media,
            trustedHTTP: parts.trustedHTTP,
            guardedHTTP: parts.guardedHTTP,
            destinations: try configuration.guardedPolicy(),
            handOver: handOver,
            signedMedia: parts.signedMedia,
            metricsText: { metrics() },
            logger: telemetry.logger
        )
        let api = AppAPI(
            settings: try configuration.appSettings(secrets: secrets),
            catalog: AppCatalog(apps: Array(definitions.apps.values), services: Array(definitions.services.values)),
            parts: appParts
        )
        let server = serve(api.router(), host: host, port: port, onServing)
        return (api, api.services(), server)
    }

    /// The Service API's services, its HTTP server, and the admission for an App API in the same process.
    func serviceAPI(
        _ services: [String: ServiceDefinition],
        host: String,
        port: Int,
        onServing: @escaping @Sendable () async -> Void = {}
    ) throws -> (admission: Admission, services: [any Service], server: any Service) {
        let admission = Admission(services: services, broker: parts.broker, logger: telemetry.logger)
        let tickets = TicketLoop(
            services: Array(services.keys),
            ledger: parts.ledger,
            broker: parts.broker,
            admission: admission,
            timers: LedgerTimers(ledger: parts.ledger, apps: nil),
            logger: telemetry.logger
        )
        let api = ServiceAPI(
            settings: try configuration.serviceSettings(services, secrets: secrets),
            ledger: parts.ledger,
            broker: parts.broker,
            admission: admission,
            metrics: telemetry.metricsText
        )
        return (admission, [tickets], serve(api.router(), host: host, port: port, onServing))
    }

    /// A worker for these services.
    func worker(_ services: [String: ServiceDefinition]) throws -> ServiceWorker {
        let settings = try configuration.workerSettings(services)
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
        Application(
            router: router,
            // A connection that says nothing, or stops in the middle of a request, is closed.
            server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { _ in await onServing() },
            logger: telemetry.logger
        )
    }

    /// Migrates the ledger if the configuration says so, waiting for a server that is not up yet.
    func prepareLedger() async throws {
        let mayMigrate = try configuration.bool("MIGRATE_ON_START", default: true)
        try await untilTheLedgerAnswers { () async throws(LedgerError) in
            if mayMigrate { try await parts.ledger.migrate() } else { try await parts.ledger.ping() }
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
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: telemetry.logger
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
