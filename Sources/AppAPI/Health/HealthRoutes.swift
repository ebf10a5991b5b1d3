// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Hummingbird
import Ledger
import MediaStore
import Plumbing
import ResultStore
import Workflow

/// `/healthz`, `/readyz` and `/metrics`: open, and without secrets.
struct HealthRoutes: Sendable {
    let parts: AppParts
    let backlog: BacklogGauge

    /// The process lives.
    func health() -> Response { Response(json: ["status": "ok"]) }

    /// Whether `/call` can be taken: that needs the ledger alone; other servers that are away are named.
    func readiness() async -> Response {
        async let ledger = failure { () async throws(LedgerError) in try await parts.ledger.ping() }
        async let broker = failure { () async throws(BrokerError) in try await parts.broker.ping() }
        async let results = failure { () async throws(ResultStoreError) in try await parts.results.ping() }
        async let media = failure { () async throws(MediaError) in try await parts.media.ping() }
        let verdicts = await [("ledger", ledger), ("broker", broker), ("results", results), ("media", media)]
        let isReady = verdicts[0].1 == nil
        let isWhole = verdicts.allSatisfy { $0.1 == nil }
        let servers = verdicts.map { ($0.0, JSON.string($0.1 ?? "ok")) }
        var json: JSON = [
            "status": .string(isWhole ? "ready" : isReady ? "degraded" : "unavailable"),
            "servers": .object(JSONObject(servers)),
        ]
        let rationed = backlog.rationed.map { entry -> JSON in
            ["workflow": .string(entry.name), "waitSeconds": .number(JSONNumber(entry.wait.inSeconds.rounded()))]
        }
        // Still ready: what is refused here would be refused by the others as well.
        if !rationed.isEmpty { json = json.adding("overload", .array(rationed)) }
        return Response(
            json: json,
            status: isReady ? .ok : .serviceUnavailable
        )
    }

    /// The metrics as Prometheus text.
    func metrics() async -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: await parts.metricsText()))
        )
    }

    private func failure(_ ping: @escaping @Sendable () async throws -> Void) async -> String? {
        do {
            try await RouteTimeLimit(limit: .seconds(3)).run(ping)
            return nil
        } catch is MarketplaceRefusal {
            return "no answer within 3 s"
        } catch {
            return "\(error)"
        }
    }
}
