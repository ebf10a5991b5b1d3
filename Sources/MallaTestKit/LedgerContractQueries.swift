// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    /// Jobs of all sorts: three services, all states but timed out, four owners, workers, types and profiles.
    private static func crowd(_ fixture: LedgerFixture, _ generator: inout SeededGenerator) async throws {
        let start = Timestamp.now - .seconds(1000)
        var records: [JobRecord] = []
        for index in 0..<90 {
            let moment = start + .seconds(index * 10)
            var job = Job(id: MeshID(at: moment), service: "s\(index % 3)", createdAt: moment)
            if index % 4 > 0 {
                var labels = JobLabels()
                labels.ownerService = [nil, "crm", "pbx"].randomElement(using: &generator) ?? nil
                labels.ownerRef = [nil, "a", "b"].randomElement(using: &generator) ?? nil
                labels.taskType = [nil, "t1", "t2"].randomElement(using: &generator) ?? nil
                labels.modelProfile = [nil, "p1", "p2"].randomElement(using: &generator) ?? nil
                job.labels = labels
            }
            records.append(JobRecord(job: job, input: Array("{}".utf8)))
        }
        try await fixture.ledger.create(records)
        for service in ["s0", "s1"] {
            for worker in ["w-\(MeshID())", "w-1-\(MeshID())", "bare"] {
                for (count, event) in [(2, "hold"), (2, "complete"), (2, "fail"), (1, "cancel"), (1, "back")] {
                    let claimed = try await fixture.claim(count, service: service, worker: worker)
                    if event == "back" {
                        let probes = claimed.map { LeaseProbe(job: $0.job.id, lease: $0.lease) }
                        _ = try await fixture.ledger.handBack(probes)
                    }
                    try await fixture.settle(
                        all: claimed.compactMap { job, lease in
                            switch event {
                            case "complete": .completion(job.id, lease)
                            case "cancel": Settlement(job: job.id, event: .cancelled)
                            case "fail":
                                Settlement(
                                    job: job.id,
                                    event: .failed(lease: lease, JobError(.handler, "no", isFinal: true))
                                )
                            default: nil
                            }
                        }
                    )
                }
            }
        }
        _ = try await fixture.accept(fixture.fanAll)
    }

    /// Whether a job is what a query asks for, as its doc comments say.
    private static func matches(_ job: Job, _ query: JobQuery) -> Bool {
        func holds<Value: Equatable>(_ asked: Value?, _ found: Value?) -> Bool { asked == nil || asked == found }
        func isIn<Value: Equatable>(_ asked: [Value]?, _ found: Value?) -> Bool {
            guard let asked else { return true }
            return found.map(asked.contains) ?? false
        }
        let isWorker = query.worker.map { asked in
            guard let worker = job.worker else { return false }
            return worker == asked || worker.hasPrefix(asked + "-") && worker.count == asked.count + 37
        }
        return isIn(query.services, job.service) && isIn(query.states, job.state)
            && holds(query.ownerService, job.labels?.ownerService) && holds(query.ownerRef, job.labels?.ownerRef)
            && isIn(query.taskTypes, job.labels?.taskType) && holds(query.modelProfile, job.labels?.modelProfile)
            && isWorker ?? true && holds(query.task, job.task)
            && query.from.map { job.createdAt >= $0 } ?? true && query.to.map { job.createdAt < $0 } ?? true
            && query.before.map { job.id < $0 } ?? true
    }

    /// A query with each filter set at a chance of one in `rarity`.
    private static func query(_ jobs: [Job], rarity: Int, _ generator: inout SeededGenerator) -> JobQuery {
        var query = JobQuery(limit: 200)
        for filter in 0..<11 where Int.random(in: 0..<rarity, using: &generator) == 0 {
            guard let some = jobs.randomElement(using: &generator) else { continue }
            set(filter, of: &query, like: some)
        }
        return query
    }

    private static func set(_ filter: Int, of query: inout JobQuery, like job: Job) {
        switch filter {
        case 0: query.services = [job.service, "s2"]
        case 1: query.states = [job.state, .timedOut]
        case 2: query.ownerService = job.labels?.ownerService
        case 3: query.ownerRef = job.labels?.ownerRef
        case 4: query.taskTypes = job.labels?.taskType.map { [$0, "t9"] }
        case 5: query.modelProfile = job.labels?.modelProfile
        case 6: query.worker = job.worker.map { $0.hasPrefix("w-1-") ? "w-1" : $0.hasPrefix("w-") ? "w" : $0 }
        case 7: query.task = job.task
        case 8: query.from = job.createdAt
        case 9: query.to = job.createdAt
        default: query.before = job.id
        }
    }

    static let queryCases = [
        Case("jobs are found by every filter, alone and together") { fixture in
            var generator = SeededGenerator(seed: 11)
            try await crowd(fixture, &generator)
            let all = try await fixture.jobs(limit: 200)
            try requireEqual(all.count, 93, "all jobs")
            try requireEqual(all.map(\.id), all.map(\.id).sorted(by: >), "the order")
            func check(_ query: JobQuery) async throws {
                let found = try await fixture.ledger.jobs(query)
                try requireEqual(found.map(\.id), all.filter { matches($0, query) }.map(\.id), "jobs of \(query)")
            }
            for filter in 0..<11 {
                for job in all.shuffled(using: &generator).prefix(12) {
                    var query = JobQuery(limit: 200)
                    set(filter, of: &query, like: job)
                    try await check(query)
                }
            }
            for _ in 0..<120 { try await check(query(all, rarity: 3, &generator)) }
            for worker in ["w", "w-1", "bare", "w-", "%", "_", ""] {
                var query = JobQuery(limit: 200)
                query.worker = worker
                try await check(query)
                try requireEqual(
                    try await fixture.ledger.jobs(query).isEmpty,
                    !["w", "w-1", "bare"].contains(worker),
                    "whether the worker '\(worker)' has none"
                )
            }
            for edit in [{ $0.services = [] }, { $0.states = [] }, { $0.taskTypes = [] }] as [(inout JobQuery) -> Void]
            {
                try requireEqual(try await fixture.jobs(limit: 9, edit).count, 0, "jobs of an empty list")
            }
            try requireEqual(try await fixture.jobs(limit: 0).count, 0, "no jobs")
            try requireEqual(try await fixture.jobs(limit: 3).map(\.id), all.prefix(3).map(\.id), "the newest")
        },
        Case("pages follow one another whatever is created meanwhile") { fixture in
            let start = Timestamp.now - .seconds(1000)
            let jobs = try await fixture.create(50) { job, index in
                job.createdAt = start + .seconds(index)
                job.id = MeshID(at: job.createdAt)
            }
            var seen: [JobID] = []
            while true {
                let page = try await fixture.jobs(limit: 7) { $0.before = seen.last }
                if page.isEmpty { break }
                seen += page.map(\.id)
                try await fixture.create(3)
            }
            try requireEqual(seen, jobs.map(\.id).reversed(), "the pages together")
        },
    ]
}
