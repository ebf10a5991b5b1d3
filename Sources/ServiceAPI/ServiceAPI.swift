// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Completions
import Fairness
public import Hummingbird
import Ledger
public import ServiceLifecycle
import Workflow

/// The Service API: one core of jobs and its dialects, the tickets of the mesh, and what people ask about them.
///
/// The wiring serves ``router()`` and runs ``services()``; in a `ServiceGroup` the services come before the HTTP
/// server, so that it stops first.
public struct ServiceAPI: Sendable {
    /// Takes jobs that App APIs hand over; an App API in the same process asks it directly.
    public let admission: Admission
    let desk: JobDesk
    let tickets: TicketLoop
    let workers: RunPodWorkerRoutes
    /// Every call of every dialect, with the description of them all.
    let routes: [APIRoute]
    private let settings: ServiceSettings
    private let parts: ServiceParts

    /// Wires the routes and services of one Service API.
    ///
    /// - Parameter period: the time between two turns of the timers.
    public init(settings: ServiceSettings, parts: ServiceParts, period: Duration = .seconds(1)) {
        self.settings = settings
        self.parts = parts
        let bell = Bell(results: parts.results)
        let ends = EndWaiters()
        admission = Admission(services: settings.services, broker: parts.broker, bell: bell, logger: parts.logger)
        desk = JobDesk(
            parts: parts,
            choice: ServiceChoice(services: settings.services),
            admission: admission,
            bell: bell,
            ends: ends,
            followUp: DirectFollowUp(
                admission: admission,
                bell: bell,
                ends: ends,
                results: parts.results,
                callbacks: parts.callbacks
            ),
            reports: ReportOutbox(ledger: parts.ledger, broker: parts.broker, logger: parts.logger),
            presence: RemotePresence(ledger: parts.ledger, logger: parts.logger),
            leaseDuration: settings.leaseDuration
        )
        tickets = TicketLoop(
            desk: desk,
            timers: LedgerTimers(
                ledger: parts.ledger,
                clock: parts.clock,
                apps: nil,
                limits: LedgerTimers.Limits(retention: settings.retention)
            ),
            period: period
        )
        workers = RunPodWorkerRoutes(desk: desk, settings: settings, presence: desk.presence)
        let calls = Self.calls(desk, settings, workers)
        routes = calls + [Self.description(of: calls)]
    }

    /// All its routes.
    public func router() -> Router<ServiceContext> {
        let table = RouteTable(
            routes: routes,
            access: AccessCheck(
                service: NamedTokens(settings.serviceTokens),
                mesh: NamedTokens(settings.meshTokens),
                file: settings.tokensFile
            ),
            limits: parts.limits
        )
        return table.router()
    }

    /// The long-running parts: tokens, webhooks, ranks and limits, completions of direct jobs, results that wait for
    /// their apps, hints, tickets and timers.
    public func services() -> [any Service] {
        let tokens: [any Service] = settings.tokensFile.map { [$0] } ?? []
        return tokens + [
            parts.callbacks, parts.ranking, parts.limits, completions, desk.reports,
            HintListener(desk: desk, workers: workers), tickets,
        ]
    }

    private static func calls(
        _ desk: JobDesk,
        _ settings: ServiceSettings,
        _ workers: RunPodWorkerRoutes
    ) -> [APIRoute] {
        let parts = desk.parts
        return HealthRoutes(parts: parts, services: settings.services.keys.sorted()).routes
            + MeshRoutes(admission: desk.admission, settings: settings).routes
            + JobRoutes(desk: desk, settings: settings).routes
            + ExplainRoutes(parts: parts, services: settings.known).routes
            + QueueRoutes(parts: parts, services: settings.services).routes
            + RunPodClientRoutes(desk: desk, settings: settings, webhooks: parts.destinations).routes
            + workers.routes
    }

    private static func description(of calls: [APIRoute]) -> APIRoute {
        var route = APIRoute(
            method: .get,
            path: "/openapi.json",
            access: .open,
            tag: "health",
            summary: "This document.",
            answers: [.init(status: .ok, text: "OpenAPI 3.1.", schema: ["type": "object"])],
            handle: { _, _ in .json([:]) }
        )
        // Anybody may ask for it, so it is written once.
        let document = ByteBuffer(bytes: OpenAPIDocument(routes: calls + [route], schemas: JobSchemas.all).json.bytes)
        route.handle = { _, _ in .json(document) }
        return route
    }

    /// Settles what the mesh's own workers say of direct jobs.
    private var completions: CompletionsConsumer {
        let queues = settings.services.values.filter { $0.engine != .remote }.map(\.name).sorted()
        return CompletionsConsumer(
            broker: parts.broker,
            queues: queues.map { QueueName.completions(service: $0) },
            settling: CompletionSettling(
                ledger: parts.ledger,
                media: parts.media,
                finishing: DirectFinishing(),
                followUp: desk.followUp,
                logger: parts.logger
            ),
            prefetch: 256,
            lanes: 4,
            logger: parts.logger
        )
    }
}
