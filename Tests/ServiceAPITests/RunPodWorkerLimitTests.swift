// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing
import Workflow

@testable import ServiceAPI

/// What RunPod's package does with refusals: it drops a result at a 429, and asks again at once at a 401.
@Suite(.timeLimit(.minutes(1))) struct RunPodWorkerLimitTests {
    @Test func noLimitIsHeldAgainstAWorkersCalls() async throws {
        let limits = """
            tokens:
              default: { requests_per_second: 1, burst: 1 }
            """
        let fixture = try await ServiceFixture(serviceTokens: ["secret"], limits: limits)
        try await fixture.serve { client in
            var refused = 0
            for _ in 0..<10 {
                let answer = try await client.send("GET", "/api/v1/queues", authorization: "secret")
                if answer.status == 429 { refused += 1 }
                let done = try await client.send(
                    "POST",
                    "/v2/alpha/job-done/w-1/\(MeshID())",
                    Array(#"{"output":1}"#.utf8),
                    authorization: "secret"
                )
                #expect(done.status == 200)
            }
            #expect(refused > 0)
        }
    }

    @Test func aWrongTokenIsAnsweredSlowly() async throws {
        let fixture = try await ServiceFixture(serviceTokens: ["secret"])
        try await fixture.serve { client in
            let began = ContinuousClock.now
            let answer = try await client.send("GET", "/v2/alpha/job-take/w-1", authorization: "wrong")
            #expect(answer.status == 401)
            #expect(ContinuousClock.now - began > .milliseconds(900))
        }
    }
}
