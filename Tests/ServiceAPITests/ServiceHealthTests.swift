// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import Testing
import Workflow

/// `/healthz`, `/readyz` and `/metrics`: open to everybody.
@Suite(.timeLimit(.minutes(1))) struct ServiceHealthTests {
    @Test func aWholeServiceAPIIsReady() async throws {
        let fixture = try await ServiceFixture(serviceTokens: ["people"])
        try await fixture.serve { client in
            #expect(try await client.send("GET", "/healthz").json == ["status": "ok"])
            let ready = try await client.send("GET", "/readyz")
            #expect(ready.status == 200 && ready.json["services"] == ["alpha", "beta"] && ready.json["failing"] == [:])
            let metrics = try await client.send("GET", "/metrics")
            #expect(metrics.status == 200 && metrics.text == "malla_test 1\n")
            #expect(metrics["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        }
    }

    @Test func aBrokenLedgerIsNamed() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            await fixture.ledger.close()
            let ready = try await client.send("GET", "/readyz")
            #expect(ready.status == 503 && ready.json["failing"]?.object?.names == ["ledger"])
            #expect(try await client.send("GET", "/healthz").status == 200)
        }
    }

    @Test func aBrokenBrokerIsNamed() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            await fixture.broker.close()
            let ready = try await client.send("GET", "/readyz")
            #expect(ready.status == 503 && ready.json["failing"]?.object?.names == ["broker"])
            await fixture.ledger.close()
            let both = try await client.send("GET", "/readyz")
            #expect(both.json["failing"]?.object?.names == ["ledger", "broker"])
        }
    }
}
