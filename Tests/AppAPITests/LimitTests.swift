// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Foundation
import Hummingbird
import Ledger
import LedgerSQLite
import Plumbing
import ResultStoreInProcess
import Testing
import Workflow

@testable import AppAPI

/// Limits of users and tokens, as marketplace clients meet them, and the ranks of tasks' jobs.
@Suite struct LimitTests {
    private func fixture(_ limits: String, tokens: [String] = ["token"]) async throws -> MarketplaceFixture {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("malla-\(MeshID()).yaml").path
        try limits.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try LimitsFile(path: path)
        return try await MarketplaceFixture(
            { $0.tokens = tokens },
            parts: { $0.limits = LimitGate(file: file, results: InProcessResultStore(), ledger: $0.ledger) }
        )
    }

    @Test func tooManyRequestsOfAUser() async throws {
        // Windows of 1,000 s, so that hardly ever one ends in the middle of the test.
        let fixture = try await fixture("users: {ann: {requests_per_second: 0.003, burst: 3}}")
        try await fixture.serve { client in
            for _ in 0..<3 { #expect(try await client.call().status == 200) }
            let refused = try await client.call()
            #expect(refused.status == 429 && refused.code == "CO_401" && refused.isRefusal)
            #expect(refused.reason.contains("requests_per_second of user 'ann' is 0.003"), "\(refused.reason)")
            #expect(Int(refused.headers[.retryAfter] ?? "").map { (1...1000).contains($0) } == true)
            #expect(try await client.send(.get, "/contract/stats", user: "ann").status == 429)
            #expect(try await client.call(user: "bob").status == 200)
        }
    }

    @Test func tooManyRequestsOfAToken() async throws {
        let limits = "tokens: {partner: {requests_per_second: 0.002, burst: 2}}"
        let fixture = try await fixture(limits, tokens: ["token", "partner:secret"])
        try await fixture.serve { client in
            for user in ["a", "b"] {
                #expect(try await client.send(.get, "/contract/stats", user: user, token: "secret").status == 200)
            }
            let refused = try await client.send(.get, "/contract/stats", user: "c", token: "secret")
            #expect(refused.status == 429 && refused.reason.contains("token 'partner'"))
            #expect(try await client.send(.get, "/contract/stats", user: "c").status == 200)
            #expect(try await client.send(.get, "/contract/stats", token: "partner:secret").status == 401)
        }
    }

    @Test func tooManyWaitingJobsAndWhatWasAcceptedBefore() async throws {
        let fixture = try await fixture("default: {waiting_jobs: 2}")
        try await fixture.serve { client in
            let first = try await client.call(request: "once")
            #expect(first.status == 200)
            #expect(try await client.call().status == 200)
            let refused = try await client.call()
            #expect(refused.status == 429 && refused.code == "CO_401" && refused.headers[.retryAfter] != nil)
            #expect(refused.reason.contains("waiting_jobs of user 'contract/ann' is 2"), "\(refused.reason)")
            let again = try await client.call(request: "once")
            #expect(again.status == 200 && again.task == first.task)
        }
    }

    @Test func aUsersTasksStandOneBehindAnother() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            for _ in 0..<20 { #expect(try await client.call().status == 200) }
            let single = try await client.call(user: "bob")
            #expect(single.status == 200)
            let leases = (0..<3).map { _ in MeshID() }
            let claimed = try await fixture.ledger.claim(service: "alpha", worker: "w", leases: leases)
            let task = try #require(MeshID(single.task))
            #expect(claimed.contains { $0.job.task == task }, "bob's only job waits for ann's twenty")
        }
    }
}
