// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import LedgerPostgres

/// What only a server that many processes share can show of direct jobs and remote workers.
@Suite(.needs(.postgres), .serialized)
struct PostgresDirectTests {
    private func record(_ index: Int = 0, _ edit: (inout JobLabels) -> Void = { _ in }) -> JobRecord {
        var labels = JobLabels()
        edit(&labels)
        let now = Timestamp.now
        let job = Job(id: MeshID(at: now), service: "alpha", rank: Int64(index), createdAt: now, labels: labels)
        return JobRecord(job: job, input: Array("{}".utf8))
    }

    private func remote(_ count: Int, worker: String = "r", type: String? = nil) -> RemoteClaim {
        RemoteClaim(
            service: "alpha",
            taskTypes: type.map { [$0] },
            worker: worker,
            leases: (0..<count).map { _ in MeshID() },
            duration: .seconds(60)
        )
    }

    @Test func processesThatCreateTheSameKeysInAnyOrderAgree() async throws {
        try await PostgresTestSchema.with { schema in
            let ledgers = [schema.ledger(), schema.ledger()]
            try await ledgers[0].migrate()
            let answers = try await withThrowingTaskGroup(of: [String: JobID].self) { group in
                for caller in 0..<16 {
                    let records = (0..<20).shuffled().map { key in
                        record { ($0.dedupKey, $0.ownerService) = ("k\(key)", "crm") }
                    }
                    group.addTask {
                        let creations = try await ledgers[caller % 2].create(records)
                        var stored: [String: JobID] = [:]
                        for (record, creation) in zip(records, creations) {
                            guard let key = record.job.labels?.dedupKey else { continue }
                            stored[key] = if case .existing(let id) = creation { id } else { record.job.id }
                        }
                        return stored
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(answers).count == 1)
            #expect(try await ledgers[1].jobs(JobQuery(limit: 1000)).count == 20)
            for ledger in ledgers { await ledger.close() }
        }
    }

    @Test func aCreationWhoseAnswerWasLostMayBeRepeated() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            let records = [record(), record { $0.dedupKey = "k" }, record { $0.dedupKey = "k" }]
            let expected: [JobCreation] = [.created, .created, .existing(records[1].job.id)]
            for _ in 0..<3 { #expect(try await ledger.create(records) == expected) }
            let plain = JobRecord(job: Job(id: MeshID(), service: "alpha", createdAt: .now), input: [])
            for _ in 0..<2 { #expect(try await ledger.create([plain]) == [.created]) }
            #expect(try await ledger.jobs(JobQuery(limit: 9)).count == 3)
            var clash = record()
            clash.job.id = plain.job.id
            clash.job.createdAt = plain.job.createdAt + .seconds(1)
            let batch = [record(), clash]
            let error = await #expect(throws: LedgerError.self) { try await ledger.create(batch) }
            #expect(error?.isRetriable == false)
            #expect(try await ledger.jobs(JobQuery(limit: 9)).count == 3)
            await ledger.close()
        }
    }

    @Test func textsOfAnyLengthAreStoredAndFound() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            // Random, so that no compression makes an index entry small.
            func long(_ end: String) -> String {
                (0..<20_000).map { _ in "\(UInt8.random(in: 0...9))" }.joined() + "\u{0}é" + end
            }
            let (owner, reference, user, key) = (long("o"), long("r"), long("u"), long("k"))
            let records = (0..<2).map { index in
                record {
                    $0.ownerService = owner
                    $0.ownerRef = reference + "\(index)"
                    $0.user = user
                    $0.dedupKey = key + "\(index)"
                }
            }
            #expect(try await ledger.create(records) == [.created, .created])
            let again = try await ledger.create([record { ($0.ownerService, $0.dedupKey) = (owner, key + "1") }])
            #expect(again == [.existing(records[1].job.id)])
            var query = JobQuery(limit: 9)
            (query.ownerService, query.ownerRef) = (owner, reference + "0")
            let found = try await ledger.jobs(query)
            #expect(found.map(\.id) == [records[0].job.id])
            #expect(found.first?.labels == records[0].job.labels)
            #expect(try await ledger.loads(ofUsers: [user]).map(\.waiting) == [2])
            let lane = FairRanks.Lane(service: "alpha", priority: 0)
            let tails = [FairTail(lane: lane, user: user, finish: 1), FairTail(lane: lane, user: "ada", finish: .max)]
            #expect(try await ledger.share(tails, services: ["alpha"]).tails == [tails[1]])
            await ledger.close()
        }
    }

    @Test func remoteClaimersOfTwoProcessesNeverShareAJob() async throws {
        try await PostgresTestSchema.with { schema in
            let ledgers = [schema.ledger(), schema.ledger()]
            try await ledgers[0].migrate()
            let records = (0..<2000).map { index in record(index) { $0.taskType = index % 2 == 0 ? "even" : "odd" } }
            try await ledgers[0].create(records)
            let claimed = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for worker in 0..<6 {
                    let type = [nil, "even", "odd"][worker % 3]
                    group.addTask {
                        var mine: [JobID] = []
                        while true {
                            let claim = remote(23, worker: "r\(worker)", type: type)
                            let batch = try await ledgers[worker % 2].claim(claim).map(\.job)
                            if batch.isEmpty { return mine }
                            #expect(batch.allSatisfy { type == nil || $0.labels?.taskType == type })
                            mine += batch.map(\.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == 2000)
            #expect(Set(claimed) == Set(records.map(\.job.id)))
            for ledger in ledgers { await ledger.close() }
        }
    }

    @Test func aLeaseIsEitherRenewedOrReaped() async throws {
        try await PostgresTestSchema.with { schema in
            let ledgers = [schema.ledger(), schema.ledger()]
            try await ledgers[0].migrate()
            try await ledgers[0].create((0..<200).map { record($0) })
            let held = try await ledgers[0].claim(remote(200)).map(\.job)
            let probes = held.compactMap { job in job.lease.map { LeaseProbe(job: job.id, lease: $0) } }
            try await schema.execute("UPDATE jobs SET lease_until = statement_timestamp()")
            async let reaped = ledgers[0].reap(olderThan: .seconds(60), limit: 1000)
            async let renewed = ledgers[1].renew(probes, for: .seconds(600))
            let (gone, standings) = (Set(try await reaped.ready.map(\.id)), try await renewed)
            for (probe, standing) in zip(probes, standings) {
                #expect(standing == (gone.contains(probe.job) ? .settled : .held))
            }
            for ledger in ledgers { await ledger.close() }
        }
    }

    @Test func aHistoryStaysSmallAndKeepsTheLast20() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            var record = record()
            record.job.maxAttempts = 100
            record.job.backoff = Backoff(base: .zero, cap: .zero, jitter: 0)
            try await ledger.create([record])
            let id = record.job.id
            for round in 1...30 {
                _ = try await ledger.promote(limit: 9)
                let lease = MeshID()
                #expect(try await ledger.claim(service: "alpha", worker: "w", leases: [lease]).count == 1)
                let text = "\(round) " + String(repeating: "é\u{0}\"", count: 50_000)
                let end = Settlement(job: id, event: .failed(lease: lease, JobError(.handler, text)))
                _ = try await ledger.settle([end], tasks: [], finishing: DirectFinishing())
            }
            let attempts = try await ledger.attempts(ofJob: id)
            #expect(attempts.map(\.attempt) == Array(11...30))
            #expect(attempts.allSatisfy { $0.error?.message.hasPrefix("\($0.attempt) é") == true })
            let rows = try await schema.execute("SELECT octet_length(array_to_string(history, '')) FROM jobs")
            let size = try rows[0].map { row throws(LedgerError) in try row.int() }.first ?? 0
            #expect((1000...100_000).contains(size), "\(size)")
            await ledger.close()
        }
    }

    @Test func aSuccessWritesNoHistoryAndClearsTheCategory() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            var records = [record(0), record(1)]
            records[0].job.error = JobError(.provider, "before")
            try await ledger.create(records)
            let claimed = try await ledger.claim(remote(2)).map(\.job)
            let ends = claimed.map { Settlement(job: $0.id, event: .completed(lease: $0.lease ?? MeshID())) }
            _ = try await ledger.settle(ends, tasks: [], finishing: DirectFinishing())
            let rows = try await schema.execute(
                """
                SELECT count(*) FROM jobs WHERE state = 2 AND history IS NULL AND error_category IS NULL
                    AND lease_until IS NULL
                """
            )
            #expect(try rows[0].map { row throws(LedgerError) in try row.int() } == [2])
            await ledger.close()
        }
    }

    @Test func noBytesOfAUsageFailTheStatistics() async throws {
        try await PostgresTestSchema.with { schema in
            let ledger = schema.ledger()
            try await ledger.migrate()
            let huge = String(repeating: "9", count: 400)
            let usages: [[UInt8]] = [
                [], [0, 0xFF, 0xC3], Array("\"gpu_ms\":12".utf8),
                Array("{\"gpu_ms\":\(huge),\"cost_usd\":1e\(huge)}".utf8),
                Array("{\"gpu_ms\": 5 ,\"cost_usd\":-2.5e-1,\"prompt_tokens\":3}".utf8) + [0xFF],
                Array("{\"cost_usd\":1E1,\"completion_tokens\":4}".utf8), Array("{\"cost_usd\":9e99}".utf8),
            ]
            try await ledger.create(usages.indices.map { record($0) })
            let claimed = try await ledger.claim(remote(usages.count)).map(\.job)
            let ends = zip(claimed, usages).map { job, usage in
                Settlement(job: job.id, event: .completed(lease: job.lease ?? MeshID()), usage: usage)
            }
            _ = try await ledger.settle(ends, tasks: [], finishing: DirectFinishing())
            for grouping in [nil] + JobStatisticsQuery.Grouping.allCases {
                let found = try await ledger.statistics(JobStatisticsQuery(grouping: grouping))
                #expect(found.map(\.states) == [[.succeeded: usages.count]])
                #expect(found.first?.usage.gpuMilliseconds == 5)
                #expect(found.first?.usage.promptTokens == 3)
                #expect(found.first?.usage.completionTokens == 4)
                #expect((found.first?.usage.costUSD ?? 0) > 8e99)
            }
            await ledger.close()
        }
    }
}
