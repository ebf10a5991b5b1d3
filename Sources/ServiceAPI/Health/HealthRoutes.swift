// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import HTTPTypes
import Hummingbird
import Ledger
import NIOCore
import Workflow

/// What probes ask: open to everybody.
struct HealthRoutes: Sendable {
    let parts: ServiceParts
    let services: [String]

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .get,
                path: "/healthz",
                access: .open,
                tag: "health",
                summary: "Says that the process lives.",
                answers: [.init(status: .ok, text: "It lives.", schema: HealthSchemas.health)],
                handle: { _, _ in .json(["status": "ok"]) }
            ),
            APIRoute(
                method: .get,
                path: "/readyz",
                access: .open,
                tag: "health",
                summary: "Says whether every server that it needs answers, and names those that do not.",
                answers: [
                    .init(status: .ok, text: "It is ready.", schema: HealthSchemas.readiness),
                    .init(status: .serviceUnavailable, text: "It is not ready.", schema: HealthSchemas.readiness),
                ],
                handle: { _, _ in await readiness() }
            ),
            APIRoute(
                method: .get,
                path: "/metrics",
                access: .open,
                tag: "health",
                summary: "The metrics of this process, as Prometheus reads them.",
                answers: [
                    .init(status: .ok, text: "Metrics.", schema: ["type": "string"], contentType: "text/plain")
                ],
                handle: { _, _ in metrics() }
            ),
        ]
    }

    private func metrics() -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: parts.metrics()))
        )
    }

    private func readiness() async -> Response {
        async let ledgerFault = fault { try await parts.ledger.ping() }
        async let brokerFault = fault { try await parts.broker.ping() }
        let faults = await [("ledger", ledgerFault), ("broker", brokerFault)]
        let failing = faults.compactMap { name, fault in fault.map { (name, JSON.string($0)) } }
        let json: JSON = [
            "status": failing.isEmpty ? "ok" : "not ready",
            "services": .array(services.map { .string($0) }),
            "failing": .object(JSONObject(failing)),
        ]
        return .json(json, status: failing.isEmpty ? .ok : .serviceUnavailable)
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
