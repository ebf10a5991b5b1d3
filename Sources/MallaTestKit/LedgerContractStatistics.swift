// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    private static func statistics(
        _ fixture: LedgerFixture,
        _ grouping: JobStatisticsQuery.Grouping?,
        from: Timestamp? = nil,
        to: Timestamp? = nil
    ) async throws -> [String: JobStatistics] {
        let query = JobStatisticsQuery(from: from, to: to, grouping: grouping)
        let found = try await fixture.ledger.statistics(query)
        try requireEqual(found.map(\.group), found.map(\.group).sorted(), "the order of groups")
        return Dictionary(uniqueKeysWithValues: found.map { ($0.group, $0) })
    }

    /// Ends a job that a worker claims; a success ran for `run`, as far as the ledger's clock goes.
    private static func end(
        _ fixture: LedgerFixture,
        worker: String,
        error: JobError? = nil,
        usage: String? = nil,
        after run: Duration = .zero
    ) async throws {
        let (job, lease) = try await fixture.claimOne(worker: worker)
        if run > .zero { try await fixture.pass(run) }
        let event = error.map { JobEvent.failed(lease: lease, $0) } ?? .completed(lease: lease)
        let result = error == nil ? Array("1".utf8) : nil
        try await fixture.settle(
            Settlement(job: job.id, event: event, result: result, usage: usage.map { Array($0.utf8) })
        )
    }

    static let statisticsCases = [
        Case("statistics count states, errors, repeats and use by every grouping") { fixture in
            let start = Timestamp.now - .seconds(1000)
            try await fixture.create(7) { job, index in
                job.createdAt = start + .seconds(index)
                job.rank = Int64(index)
                if index == 6 { return }
                var labels = JobLabels()
                labels.ownerService = index < 3 ? "crm" : "pbx"
                labels.taskType = index % 2 == 0 ? "even" : "odd"
                labels.modelProfile = index == 0 ? "p" : nil
                job.labels = labels
            }
            try await end(fixture, worker: "w1", usage: "{\"gpu_ms\":100,\"cost_usd\":0.25}", after: .seconds(10))
            try await end(fixture, worker: "w2", usage: "{\"gpu_ms\":50,\"prompt_tokens\":7,\"x\":[]}")
            let fatal = JobError(.provider, "no", isFinal: true)
            try await end(fixture, worker: "w2", error: fatal, usage: "{\"completion_tokens\":3}")
            let back = try await fixture.claimOne(worker: "w1")
            _ = try await fixture.ledger.handBack([LeaseProbe(job: back.job.id, lease: back.lease)])
            try await end(fixture, worker: "w1", error: JobError(.invalidInput, "no"), usage: "[\"no object\"]")
            _ = try await fixture.claimOne(worker: "w3")
            let all = try unwrap(try await statistics(fixture, nil)[""], "the group of all")
            try requireEqual(all.states, [.succeeded: 2, .failed: 2, .running: 1, .waiting: 2], "states")
            try requireEqual(all.errors, [.provider: 1, .invalidInput: 1], "errors")
            try requireEqual(all.repeats, 1, "repeats")
            try requireEqual(
                all.usage,
                JobUsage(gpuMilliseconds: 150, costUSD: 0.25, promptTokens: 7, completionTokens: 3),
                "use"
            )
            let waits = try unwrap(all.waitMilliseconds, "the waits")
            try require(waits.p50 >= 900_000 && waits.p95 >= waits.p50, "waits: \(waits)")
            let runs = try unwrap(all.runMilliseconds, "the runs")
            try require((4900..<30_000).contains(runs.p50), "the median run: \(runs)")
            try require((9400..<60_000).contains(runs.p95) && runs.p95 > runs.p50, "the 95th percentile: \(runs)")

            let owners = try await statistics(fixture, .ownerService)
            try requireEqual(owners.mapValues { $0.states.values.reduce(0, +) }, ["crm": 3, "pbx": 3, "": 1], "owners")
            try requireEqual(owners["crm"]?.usage.gpuMilliseconds, 150, "the use of one owner")
            try requireEqual(owners["pbx"]?.errors, [.invalidInput: 1], "the errors of one owner")
            try require(owners[""]?.waitMilliseconds == nil, "the waits of a group that was never claimed")
            try require(owners["pbx"]?.runMilliseconds == nil, "the runs of a group without a success")
            let types = try await statistics(fixture, .taskType)
            try requireEqual(types.mapValues { $0.states.values.reduce(0, +) }, ["even": 3, "odd": 3, "": 1], "types")
            let profiles = try await statistics(fixture, .modelProfile)
            try requireEqual(profiles.mapValues { $0.states.values.reduce(0, +) }, ["p": 1, "": 6], "profiles")
            let services = try await statistics(fixture, .service)
            try requireEqual(Array(services.keys), ["alpha"], "services")
            let workers = try await statistics(fixture, .worker)
            try requireEqual(
                workers.mapValues { $0.states.values.reduce(0, +) },
                ["w1": 2, "w2": 2, "w3": 1, "": 2],
                "workers"
            )
            let window = try await statistics(fixture, .service, from: start + .seconds(1), to: start + .seconds(3))
            try requireEqual(window["alpha"]?.states, [.succeeded: 1, .failed: 1], "the states of a time")
            try requireEqual(try await statistics(fixture, .service, to: start).count, 0, "groups of no time")
        },
        Case("statistics of a cancelled task's jobs and of a time-out") { fixture in
            let task = try await fixture.accept(fixture.fanAll)
            try await fixture.settle(task: task, .cancelled)
            let now = Timestamp.now
            try await fixture.create { job, _ in job.deadline = now - .seconds(9) }
            try await fixture.settle(all: try await fixture.ledger.overdue(apps: nil, limit: 9).jobs)
            let all = try unwrap(try await statistics(fixture, nil)[""], "the group of all")
            try requireEqual(all.states, [.cancelled: 3, .timedOut: 1], "states")
            try requireEqual(all.errors, [.timeout: 1], "errors")
            try require(all.waitMilliseconds == nil && all.usage.isEmpty, "numbers of what never ran")
        },
        Case("timings tell of the jobs that ended last, newest first, without the cancelled") { fixture in
            try await fixture.create(5) { $0.rank = Int64($1) }
            try await end(fixture, worker: "w1", after: .seconds(10))
            try await end(fixture, worker: "w1", error: JobError(.handler, "no", isFinal: true))
            let cancelled = try await fixture.claimOne()
            try await fixture.settle(Settlement(job: cancelled.job.id, event: .cancelled))
            _ = try await fixture.claimOne()
            try await fixture.create(1, service: "beta")
            let timings = try await fixture.ledger.timings(ofService: "alpha", limit: 100)
            try requireEqual(timings.count, 2, "timings")
            try require(timings[0].finishedAt >= timings[1].finishedAt, "the order")
            try require((.seconds(9) ..< .seconds(40)).contains(timings[1].run), "the longer run: \(timings)")
            try require((.zero ..< .seconds(5)).contains(timings[0].run), "the shorter run: \(timings)")
            try requireEqual(try await fixture.ledger.timings(ofService: "beta", limit: 9), [], "of none that ended")
            try requireEqual(try await fixture.ledger.timings(ofService: "alpha", limit: 0), [], "no timings")
        },
        Case("jobs ahead are those that are claimed before") { fixture in
            let later = Timestamp.now + .seconds(600)
            let jobs = try await fixture.create(6) { job, index in
                job.rank = Int64(index / 2)
                if index == 1 { job.runAfter = later }
            }
            try await fixture.create(3, service: "beta") { job, _ in job.rank = -1 }
            let order = try await fixture.ledger.claim(
                RemoteClaim(
                    service: "alpha",
                    worker: "r",
                    leases: (0..<9).map { _ in MeshID() },
                    duration: .seconds(60)
                )
            ).map(\.job)
            _ = try await fixture.ledger.handBack(
                try order.map { LeaseProbe(job: $0.id, lease: try unwrap($0.lease, "a lease")) }
            )
            for (ahead, job) in order.enumerated() {
                try requireEqual(try await fixture.ledger.jobsAhead(of: job.id, limit: 100), ahead, "jobs ahead")
            }
            let last = try unwrap(order.last, "the last job").id
            try requireEqual(try await fixture.ledger.jobsAhead(of: last, limit: 2), 2, "jobs ahead, up to two")
            let running = try await fixture.claimOne()
            for id in [jobs[1].id, running.job.id, MeshID()] {
                let ahead = try await fixture.ledger.jobsAhead(of: id, limit: 9)
                try require(ahead == nil, "jobs ahead of one that is not due: \(ahead ?? 0)")
            }
            try requireEqual(try await fixture.ledger.jobsAhead(of: last, limit: 100), 3, "jobs ahead after a claim")
        },
        Case("loads count a user's jobs, direct ones and those of tasks at every stage") { fixture in
            let later = Timestamp.now + .seconds(600)
            try await fixture.create(4, service: "gamma") { job, index in
                var labels = JobLabels()
                labels.user = index < 3 ? "bob" : "contract/ada"
                job.labels = labels
                if index == 0 { job.runAfter = later }
            }
            try await fixture.create(2, service: "gamma")
            _ = try await fixture.accept(fixture.chain)
            let names = ["contract/ada", "nobody", "bob", "ada"]
            func loads(_ found: [UserLoad]) -> [[Int]] { found.map { [$0.waiting, $0.running] } }
            let first = try await fixture.ledger.loads(ofUsers: names)
            try requireEqual(first.map(\.user), names, "users")
            try requireEqual(loads(first), [[2, 0], [0, 0], [3, 0], [0, 0]], "loads")
            _ = try await fixture.claim(3, service: "gamma")
            let job = try await fixture.claimOne()
            let second = try await fixture.ledger.loads(ofUsers: names).reduce(0) { $0 + $1.running }
            try require(second >= 2, "running jobs: \(second)")
            try await fixture.settle(.completion(job.job.id, job.lease))
            _ = try await fixture.claimOne(service: "beta")
            let third = try await fixture.ledger.loads(ofUsers: ["contract/ada"])
            try requireEqual(third.reduce(0) { $0 + $1.waiting + $1.running }, 2, "jobs after the first stage")
            try require(third[0].running >= 1, "the second stage's job is not counted: \(third)")
            try requireEqual(try await fixture.ledger.loads(ofUsers: []), [], "loads of nobody")
        },
    ]
}
