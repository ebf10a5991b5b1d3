// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing
import Workflow

/// Servers that are away, and a broker with little patience.
extension MeshTests {
    @Test func longJobsEndNormallyUnderAShortConsumerTimeout() async throws {
        try await DistributedMesh.with(holding: true) { mesh in
            var tasks: [String] = []
            for number in 0..<3 {
                let payload = HoldingService.payload(3, marks: mesh.folder + "/marks-\(number)")
                tasks.append(try await mesh.client.call("holding", "hold", payload))
            }
            for task in tasks {
                let answer = try await mesh.client.end("holding", task, within: .seconds(25))
                #expect(answer["errorCode"]?["status"]?.string == "ME_000", "\(answer.text)")
                #expect(answer["response"]?["data"]?["first"]?["attempt"]?.int == 1, "\(answer.text)")
                #expect(try await mesh.callback(of: task).status == "ME_000")
            }
            // What the broker writes when it closes a channel for an acknowledgement that came too late.
            let log = try mesh.servers.brokerLog()
            #expect(!log.isEmpty)
            let late = log.split(separator: "\n").filter {
                $0.lowercased().contains(/precondition_failed|consumer ack timed out/)
            }
            #expect(late.isEmpty, "\(late)")
        }
    }

    @Test func aTaskRunsToItsEndWithoutRedis() async throws {
        try await DistributedMesh.with { mesh in
            try await away("redis", mesh.servers) {
                let task = try await mesh.client.call("bench", "bench-3", [:])
                let answer = try await mesh.client.end("bench", task)
                #expect(answer["errorCode"]?["status"]?.string == "BE_000", "\(answer.text)")
                #expect(answer["response"]?["data"]?["stage3"]?.bool == true, "\(answer.text)")
                #expect(try await mesh.callback(of: task).status == "BE_000")
            }
        }
    }

    @Test func aCallIsTakenWithoutTheBrokerAndRunsOnceItIsBack() async throws {
        try await DistributedMesh.with { mesh in
            var task = ""
            try await away("rabbit", mesh.servers) {
                task = try await mesh.client.call("bench", "bench-3", [:])
                let answer = try await mesh.client.result("bench", task)
                #expect(["BE_001", "BE_002"].contains(answer["errorCode"]?["status"]?.string), "\(answer.text)")
            }
            let answer = try await mesh.client.end("bench", task, within: .seconds(40))
            #expect(answer["errorCode"]?["status"]?.string == "BE_000", "\(answer.text)")
            #expect(try await mesh.callback(of: task).status == "BE_000")
        }
    }

    /// Stops a server around `body`, and starts it again whatever comes of it.
    private func away(_ name: String, _ servers: MeshServers, _ body: () async throws -> Void) async throws {
        try await servers.down(name)
        do {
            try await body()
        } catch {
            try await servers.up(name)
            throw error
        }
        try await servers.up(name)
    }
}
