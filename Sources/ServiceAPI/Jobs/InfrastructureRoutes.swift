// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Hummingbird
import Ledger
import Plumbing
import Workflow

/// Shows what the machines tell: the workers, and the telemetry of configured sidecars.
struct InfrastructureRoutes: Sendable {
    private let parts: ServiceParts
    private let sidecars: Freshness<[JSON]>

    /// How long a sidecar may take, and how old its answer may be.
    private static let limits = (answer: Duration.seconds(2), age: Duration.seconds(5))

    init(settings: ServiceSettings, parts: ServiceParts) {
        self.parts = parts
        let places = settings.infrastructure
        let http = parts.trustedHTTP
        sidecars = Freshness(age: Self.limits.age) {
            await withTaskGroup(of: (Int, JSON).self) { group in
                for (index, place) in places.enumerated() {
                    group.addTask { (index, await Self.ask(place.name, place.url, http)) }
                }
                return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
            }
        }
    }

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .get,
                path: "/api/v1/infra/status",
                tag: "infrastructure",
                summary: "Shows the workers and what configured sidecars tell of GPUs, containers and models.",
                answers: [.init(status: .ok, text: "Workers and sidecars.", schema: JobSchemas.infrastructure)],
                handle: { _, _ in try await show() }
            )
        ]
    }

    private func show() async throws -> Response {
        async let told = sidecars.value
        let workers = try await parts.ledger.workers()
        return .json([
            "workers": .array(workers.map { WorkerRoutes.json(of: $0) }), "sidecars": .array(await told),
        ])
    }

    private static func ask(_ name: String, _ url: String, _ http: any HTTPTransferring) async -> JSON {
        var json: JSON = [
            "name": .string(name), "reachable": false, "latency_ms": nil, "status": nil, "metrics": nil, "error": nil,
        ]
        let began = ContinuousClock.now
        do throws(TransferError) {
            let response = try await http.send(TransferRequest("GET", url, timeout: limits.answer))
            let latency = Int((ContinuousClock.now - began).wholeMilliseconds)
            json = json.adding("reachable", true).adding("latency_ms", .number(JSONNumber(latency)))
            guard response.head.status == 200 else {
                return json.adding("error", .string("HTTP \(response.head.status)"))
            }
            if let status = try? JSON(parsing: response.body) { return json.adding("status", status) }
            return json.adding("metrics", PrometheusText.json(of: String(decoding: response.body, as: UTF8.self)))
        } catch {
            return json.adding("error", .string("\(error.code)"))
        }
    }
}
