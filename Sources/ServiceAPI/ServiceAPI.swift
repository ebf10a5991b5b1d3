// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
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

    private func handOver(_ request: Request) async throws -> Response {
        guard !settings.meshTokens.isEmpty else {
            throw Problem(.forbidden, "this Service API takes no hand-overs: set MESH_TOKEN to the App API's")
        }
        try BearerToken(accepted: settings.meshTokens).check(request)
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: settings.maxBody)
        } catch {
            throw Problem(.contentTooLarge, "the body has more than \(settings.maxBody) bytes")
        }
        let json: JSON
        do {
            json = try JSON(parsing: Array(buffer.readableBytesView))
        } catch {
            throw Problem(.badRequest, "the body is not JSON: \(error.message) at byte \(error.offset)")
        }
        guard let handOver = HandOver(json: json) else {
            throw Problem(.unprocessableContent, "each of 'jobs' needs 'job' (a UUID) and 'service'", field: "/jobs")
        }
        let refused = admission.take(handOver)
        return .json(["refused": .array(refused.map(\.json))])
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
            var failing: [(String, JSON)] = []
            do { try await ledger.ping() } catch { failing.append(("ledger", .string("\(error)"))) }
            do { try await broker.ping() } catch { failing.append(("broker", .string("\(error)"))) }
            let json: JSON = [
                "status": failing.isEmpty ? "ok" : "not ready",
                "services": .array(settings.services.keys.sorted().map { .string($0) }),
                "failing": .object(JSONObject(failing)),
            ]
            return Response.json(json, status: failing.isEmpty ? .ok : .serviceUnavailable)
        }
    }
}
