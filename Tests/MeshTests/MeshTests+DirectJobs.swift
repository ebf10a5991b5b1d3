// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing
import Workflow

/// Jobs that no app created, on real servers, with every role a process of its own.
extension MeshTests {
    @Test func aJobOfOneDialectIsThereInTheOthers() async throws {
        try await DistributedMesh.with { mesh in
            let jobs = mesh.jobs
            let id = try await jobs.create(["task_type": "echo-1", "owner_service": "telephony", "input": ["n": 1]])
            let job = try await jobs.end(id)
            #expect(job["status"]?.string == "completed", "\(job.text)")
            #expect(job["result"]?["stage1"]?.bool == true, "\(job.text)")
            #expect(try await jobs.send("GET", "/v2/echo-1/status/\(id)")["status"]?.string == "COMPLETED")

            let synced = try await jobs.send("POST", "/v2/echo-1/runsync", ["input": ["n": 2]])
            #expect(synced["status"]?.string == "COMPLETED", "\(synced.text)")
            #expect(synced["output"]?["stage1"]?.bool == true)
            let other = try await jobs.send("GET", "/api/v1/jobs/\(synced["id"]?.string ?? "")")
            #expect(other["status"]?.string == "completed" && other["service"]?.string == "echo-1")
        }
    }

    @Test func aCallHeldOpenAtOneServiceAPIHearsOfAnother() async throws {
        try await DistributedMesh.with(workers: [], holding: true) { mesh in
            let second = try await mesh.startSecondServiceAPI()
            let claim: JSON = ["worker_id": "far-1", "task_types": ["hold"], "limit": 1, "wait_seconds": 20]
            async let claimed = second.send("POST", "/api/v1/jobs/claim", claim)
            // The worker's row says that somebody elsewhere waits.
            let isThere: Bool? = try await until(.seconds(10)) {
                let workers = try await mesh.jobs.send("GET", "/api/v1/workers")["workers"]?.array ?? []
                return workers.contains { $0["worker_id"]?.string == "far-1" } ? true : nil
            }
            #expect(isThere == true)
            let id = try await mesh.jobs.create(["task_type": "hold", "input": [:]])
            let job = try #require(try await claimed["jobs"]?.array?.first)
            #expect(job["id"]?.string == id && job["worker_id"]?.string == "far-1")

            async let waited = second.send("GET", "/v2/hold/status-sync/\(id)?wait=20000")
            let done: JSON = ["worker_id": "far-1", "result": ["attempt": 1]]
            _ = try await mesh.jobs.send("POST", "/api/v1/jobs/\(id)/complete", done)
            #expect(try await waited["status"]?.string == "COMPLETED")
        }
    }

    @Test func aStageIsDoneByAWorkerElsewhere() async throws {
        try await DistributedMesh.with(workers: [], holding: true) { mesh in
            let task = try await mesh.client.call("holding", "hold", HoldingService.payload(0, marks: "/dev/null"))
            let claim: JSON = ["worker_id": "far-1", "limit": 1, "wait_seconds": 10]
            let answer = try await mesh.jobs.send("POST", "/api/v1/jobs/claim", claim)
            let job = try #require(answer["jobs"]?.array?.first, "\(answer.text)")
            #expect(job["task_id"]?.string == task)
            let done: JSON = ["worker_id": "far-1", "lease_id": job["lease_id"] ?? .null, "result": ["attempt": 1]]
            let path = "/api/v1/jobs/\(job["id"]?.string ?? "")/complete"
            #expect(try await mesh.jobs.send("POST", path, done)["status"]?.string == "completed")
            #expect(try await mesh.callback(of: task).status == "ME_000")
        }
    }

    @Test func aJobOutlivesTheServiceAPIThatTookIt() async throws {
        try await DistributedMesh.with(workers: []) { mesh in
            let id = try await mesh.jobs.create(["task_type": "echo-1", "input": ["n": 1]])
            try await mesh.kill("service-api")
            try mesh.startWorker("worker-late")
            try mesh.startServiceAPI()
            #expect(try await mesh.jobs.end(id)["status"]?.string == "completed")
        }
    }
}
