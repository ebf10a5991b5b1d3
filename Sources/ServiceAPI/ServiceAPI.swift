// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
import HTTPTypes
public import Hummingbird
public import Ledger
import Logging
import NIOCore
import Plumbing
import Workflow

/// The role that turns jobs into tickets and tells people about jobs and workers.
public struct ServiceAPI: Sendable {
    private let settings: ServiceSettings
    private let ledger: any Ledger
    private let broker: any Broker
    private let metrics: @Sendable () -> String
    private let admission: Admission

    /// Makes the role.
    ///
    /// - Parameter metrics: the text of `/metrics`.
    public init(
        settings: ServiceSettings,
        ledger: any Ledger,
        broker: any Broker,
        admission: Admission,
        metrics: @escaping @Sendable () -> String
    ) {
        self.settings = settings
        self.ledger = ledger
        self.broker = broker
        self.admission = admission
        self.metrics = metrics
    }

    /// All its routes.
    public func router() -> Router<ServiceContext> {
        let router = Router(context: ServiceContext.self)
        router.add(middleware: ProblemMiddleware(routes: Self.routes))
        addHealth(to: router)
        router.post("/mesh/v1/jobs") { request, _ in try await handOver(request) }
        let listing = JobListing(ledger: ledger)
        let token = BearerToken(accepted: settings.serviceTokens)
        let isOpen = settings.serviceTokens.isEmpty
        router.get("/api/v1/jobs") { request, _ in
            if !isOpen { try token.check(request) }
            return try await listing.jobs(request.uri.queryParameters)
        }
        router.get("/api/v1/jobs/{id}") { request, context in
            if !isOpen { try token.check(request) }
            return try await listing.job(try context.parameters.require("id"))
        }
        router.get("/api/v1/workers") { request, _ in
            if !isOpen { try token.check(request) }
            return try await listing.workers()
        }
        return router
    }

    /// The paths with their methods, for whoever asks for one that is not there.
    private static let routes: [(path: String, methods: [HTTPRequest.Method])] = [
        ("/mesh/v1/jobs", [.post]), ("/api/v1/jobs", [.get]), ("/api/v1/jobs/{id}", [.get]),
        ("/api/v1/workers", [.get]), ("/healthz", [.get]), ("/readyz", [.get]), ("/metrics", [.get]),
    ]

    private func handOver(_ request: Request) async throws -> Response {
        guard !settings.meshTokens.isEmpty else {
            throw Problem(.forbidden, "this Service API takes no hand-overs: set MESH_TOKEN to the App API's")
        }
        try BearerToken(accepted: settings.meshTokens).check(request)
        let json = try await body(of: request)
        let handOver: HandOver
        do throws(HandOver.Fault) { handOver = try HandOver(reading: json) } catch {
            throw Problem(.unprocessableContent, "\(error.field) must be \(error.expected)", field: error.field)
        }
        let verdict = admission.admit(handOver)
        let refused = JSON.array(verdict.refused.map(\.json))
        guard let pushBack = verdict.pushBack else { return .json(["refused": refused]) }
        var problem = Problem(
            .tooManyRequests,
            "the backlog is full: none of the \(handOver.entries.count) jobs is taken now; 'refused' says why",
            retryAfter: max(1, Int((pushBack / .seconds(1)).rounded(.up)))
        )
        problem.members = [("refused", refused)]
        throw problem
    }

    private func body(of request: Request) async throws(Problem) -> JSON {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: settings.maxBody)
        } catch is NIOTooManyBytesError {
            throw Problem(.contentTooLarge, "the body has more than \(settings.maxBody) bytes; hand over fewer at once")
        } catch {
            throw Problem(.badRequest, "the body broke off before its end")
        }
        do throws(JSONError) {
            return try JSON(parsing: Array(buffer.readableBytesView))
        } catch {
            throw Problem(.badRequest, "the body is not JSON: \(error.message) at byte \(error.offset)")
        }
    }

    private func addHealth(to router: Router<ServiceContext>) {
        router.get("/healthz") { _, _ in Response.json(["status": "ok"]) }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: metrics()))
            )
        }
        router.get("/readyz") { _, _ in
            async let ledgerFault = fault { try await ledger.ping() }
            async let brokerFault = fault { try await broker.ping() }
            let faults = await [("ledger", ledgerFault), ("broker", brokerFault)]
            let failing = faults.compactMap { name, fault in fault.map { (name, JSON.string($0)) } }
            let json: JSON = [
                "status": failing.isEmpty ? "ok" : "not ready",
                "services": .array(settings.services.keys.sorted().map { .string($0) }),
                "failing": .object(JSONObject(failing)),
            ]
            return Response.json(json, status: failing.isEmpty ? .ok : .serviceUnavailable)
        }
    }
    private func fault(_ ping: @Sendable () async throws -> Void) async -> String? {
        do {
            try await ping()
            return nil
        } catch {
            return "\(error)"
        }
    }
}
