// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Testing
import Workflow

/// `GET /api/v1/jobs`, `/api/v1/jobs/{id}` and `/api/v1/workers`.
@Suite(.timeLimit(.minutes(1))) struct JobListingTests {
    @Test func tokensCloseTheJobAPIOnlyWhenThereAreAny() async throws {
        let open = try await ServiceFixture()
        let closed = try await ServiceFixture(serviceTokens: ["one", "two"])
        let paths = ["/api/v1/jobs", "/api/v1/workers"]
        try await open.serve { client in
            for path in paths {
                let answer = try await client.send("GET", path)
                #expect(answer.status == 200)
            }
        }
        let job = try await closed.create()[0]
        try await closed.serve { client in
            for path in paths + ["/api/v1/jobs/\(job.id)"] {
                for token in ["one", "two"] {
                    let answer = try await client.send("GET", path, authorization: "Bearer \(token)")
                    #expect(answer.status == 200)
                }
                for authorization in [nil, "Bearer three", "Bearer mesh", "Bearer one,two"] {
                    #expect(try await client.send("GET", path, authorization: authorization).isProblem(401))
                }
            }
        }
    }

    @Test func aJobIsShownWithItsPayloads() async throws {
        let fixture = try await ServiceFixture()
        let job = try await fixture.create()[0]
        let claimed = try await fixture.claim(1)[0]
        let lease = try #require(claimed.lease)
        let settlement = Settlement(job: job.id, event: .completed(lease: lease), result: Array(#"{"ok":true}"#.utf8))
        _ = try await fixture.ledger.settle([settlement], tasks: [], finishing: DirectFinishing())
        try await fixture.serve { client in
            for text in [job.id.description, job.id.description.uppercased()] {
                let answer = try await client.send("GET", "/api/v1/jobs/\(text)")
                #expect(answer.status == 200 && answer.json["id"]?.string == job.id.description)
                #expect(answer.json["status"]?.string == "completed" && answer.json["service"]?.string == "alpha")
                #expect(answer.json["input"] == ["n": 1] && answer.json["result"] == ["ok": true])
                #expect(answer.json["attempt"]?.int == 1 && answer.json["duration_ms"]?.int != nil)
            }
            for text in ["x", "1", "%00", String(repeating: "a", count: 3000), "'; drop table jobs"] {
                let path = text.replacing(" ", with: "%20")
                let answer = try await client.send("GET", "/api/v1/jobs/\(path)")
                #expect(answer.isProblem(404) && answer.text.utf8.count < 1000, "\(text)")
            }
            let unknown = try await client.send("GET", "/api/v1/jobs/\(MeshID())")
            #expect(unknown.isProblem(404) && unknown.field == "id")
        }
    }

    @Test func aDeepResultIsShown() async throws {
        let fixture = try await ServiceFixture()
        let job = try await fixture.create()[0]
        let lease = try #require(try await fixture.claim(1)[0].lease)
        let deep = String(repeating: "[", count: 140) + String(repeating: "]", count: 140)
        let settlement = Settlement(job: job.id, event: .completed(lease: lease), result: Array(deep.utf8))
        _ = try await fixture.ledger.settle([settlement], tasks: [], finishing: DirectFinishing())
        try await fixture.serve { client in
            let answer = try await client.send("GET", "/api/v1/jobs/\(job.id)")
            #expect(answer.status == 200)
        }
    }

    @Test func theListIsNewestFirstAndStableUnderInserts() async throws {
        let fixture = try await ServiceFixture()
        let jobs = try await fixture.create(7)
        try await fixture.serve { client in
            var seen: [String] = []
            var cursor = ""
            for _ in 0..<4 {
                let answer = try await client.send("GET", "/api/v1/jobs?limit=2\(cursor)")
                seen += Self.ids(answer)
                guard let next = answer.json["next_cursor"]?.string else { break }
                cursor = "&cursor=\(next)"
                try await fixture.create { job, _ in job.id = MeshID(at: .now + .seconds(60)) }
            }
            #expect(seen == jobs.reversed().map(\.id.description))
        }
    }

    @Test func theListIsFilteredByServiceAndStatus() async throws {
        let fixture = try await ServiceFixture()
        // The second is past its deadline and never claimed: one fails, one times out, one is cancelled, one waits.
        let jobs = try await fixture.create(4) { job, index in if index == 1 { job.deadline = .now } }
        try await fixture.create(2, service: "beta")
        let claimed = try await fixture.claim(2)
        #expect(claimed.map(\.id) == [jobs[0].id, jobs[2].id])
        let lease = try #require(claimed.first?.lease)
        let settlements = [
            Settlement(job: jobs[0].id, event: .failed(lease: lease, JobError(.handler, "broke", isFinal: true))),
            Settlement(job: jobs[1].id, event: .deadlinePassed), Settlement(job: jobs[2].id, event: .cancelled),
        ]
        _ = try await fixture.ledger.settle(settlements, tasks: [], finishing: DirectFinishing())
        try await fixture.serve { client in
            let expected: [(query: String, count: Int)] = [
                ("", 6), ("?service=alpha", 4), ("?service=beta", 2), ("?service=gamma", 0),
                ("?service=alpha&status=pending", 1), ("?status=queued", 3), ("?status=running", 0),
                ("?status=completed", 0), ("?status=failed", 2), ("?status=cancelled", 1),
                ("?service=beta&status=failed", 0), ("?limit=1", 1), ("?limit=500", 6),
            ]
            for (query, count) in expected {
                let answer = try await client.send("GET", "/api/v1/jobs\(query)")
                #expect(answer.status == 200 && Self.ids(answer).count == count, "\(query): \(answer.text)")
            }
            // Timed-out jobs show as failed; both kinds are paged as one list, newest first.
            let failed = [jobs[1], jobs[0]].map(\.id.description)
            #expect(Self.ids(try await client.send("GET", "/api/v1/jobs?status=failed")) == failed)
            let first = try await client.send("GET", "/api/v1/jobs?status=failed&limit=1")
            #expect(Self.ids(first) == Array(failed.prefix(1)))
            let cursor = try #require(first.json["next_cursor"]?.string)
            let second = try await client.send("GET", "/api/v1/jobs?status=failed&limit=1&cursor=\(cursor)")
            #expect(Self.ids(second) == Array(failed.suffix(1)))
        }
    }

    @Test(arguments: [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=-1", "limit"), ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=99999999999999999999", "limit"), ("status=waiting", "status"), ("status=", "status"),
        ("cursor=x", "cursor"), ("cursor=", "cursor"), ("servce=alpha", "servce"),
    ])
    func aWrongFilterIsNamed(_ query: String, _ field: String) async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let answer = try await client.send("GET", "/api/v1/jobs?\(query)")
            #expect(answer.isProblem(422) && answer.field == field, "\(answer.text)")
        }
    }

    @Test func workersAreListedWithTheirTrouble() async throws {
        let fixture = try await ServiceFixture()
        for (name, trouble) in [("w-1", nil), ("w-2", #"{"alpha":"no module named torch"}"#)] {
            let beat = WorkerBeat(
                worker: "\(name)/boot",
                name: name,
                services: ["alpha"],
                slots: 4,
                running: 1,
                isDraining: false,
                trouble: trouble.map { Array($0.utf8) }
            )
            _ = try await fixture.ledger.beat(beat, leases: [])
        }
        try await fixture.serve { client in
            let workers = try #require(try await client.send("GET", "/api/v1/workers").json["workers"]?.array)
            #expect(Set(workers.compactMap { $0["worker_id"]?.string }) == ["w-1/boot", "w-2/boot"])
            #expect(workers.allSatisfy { $0["slots"]?.int == 4 && $0["services"] == ["alpha"] })
            let second = try #require(workers.first { $0["name"]?.string == "w-2" })
            #expect(second["trouble"]?["alpha"]?.string == "no module named torch")
        }
    }

    @Test func aLedgerThatIsAwayIsNoFaultOfTheCaller() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            await fixture.ledger.close()
            for path in ["/api/v1/jobs", "/api/v1/jobs/\(MeshID())", "/api/v1/workers"] {
                let answer = try await client.send("GET", path)
                #expect(answer.isProblem(503) && answer["retry-after"] == "2", "\(answer.status) \(answer.text)")
            }
        }
    }

    private static func ids(_ answer: ServiceClient.Answer) -> [String] {
        (answer.json["jobs"]?.array ?? []).compactMap { $0["id"]?.string }
    }
}
