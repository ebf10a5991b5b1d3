// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    private static func record(_ key: String?, owner: String?, id: JobID = MeshID()) -> JobRecord {
        var labels = JobLabels()
        (labels.dedupKey, labels.ownerService) = (key, owner)
        let job = Job(id: id, service: "alpha", createdAt: .now, labels: labels)
        return JobRecord(job: job, input: Array("{}".utf8))
    }

    static let directCases = [
        Case("a job's labels read back wherever the job does") { fixture in
            let jobs = try await fixture.create(2) { labels, index in
                labels.user = "ünï"
                guard index == 0 else { return }
                labels.ownerService = "tele\"phony"
                labels.ownerRef = "beeline/4711"
                labels.taskType = "transcription"
                labels.modelProfile = "whisperx"
                labels.priority = -3
                labels.dedupKey = "k'1"
                labels.webhook = "https://receiver.invalid/hook?a=1&b=2"
                labels.timeToLive = .milliseconds(86_400_000)
                labels.storage = ["bucket": "b", "list": [1, 2.5, nil, true]]
                labels.envelope = .grace
            }
            for job in jobs { try requireEqual(try await fixture.job(job.id), job, "the job by its id") }
            let listed = try await fixture.jobs()
            try requireEqual(Set(listed.map(\.labels)), Set(jobs.map(\.labels)), "the labels of listed jobs")
            let claimed = try await fixture.claim(2)
            try requireEqual(Set(claimed.map(\.job.labels)), Set(jobs.map(\.labels)), "the labels of claimed jobs")
            let back = try await fixture.ledger.handBack(claimed.map { LeaseProbe(job: $0.job.id, lease: $0.lease) })
            try requireEqual(Set(back.map(\.labels)), Set(jobs.map(\.labels)), "the labels of jobs handed back")
        },
        Case("a dedup key gives its owner the same job, whatever became of it") { fixture in
            let first = record("k", owner: "crm")
            let batch = [
                first, record("k", owner: "crm"), record("k", owner: "pbx"), record("k", owner: nil),
                record("other", owner: "crm"), record(nil, owner: "crm"), record(nil, owner: "crm"),
                record("k", owner: nil),
            ]
            let answers = try await fixture.ledger.create(batch)
            try requireEqual(
                answers,
                [
                    .created, .existing(first.job.id), .created, .created, .created, .created, .created,
                    .existing(batch[3].job.id),
                ],
                "what became of the batch"
            )
            try requireEqual(try await fixture.jobs().count, 6, "stored jobs")
            let asked = [record("new", owner: nil), batch[3], record(nil, owner: "crm"), batch[1]]
            try requireEqual(
                try await fixture.ledger.existing(asked.compactMap(\.job.labels)),
                [nil, batch[3].job.id, nil, first.job.id],
                "what the keys stand for"
            )
            try await fixture.settle(Settlement(job: first.job.id, event: .cancelled))
            try requireEqual(
                try await fixture.ledger.create([record("k", owner: "crm"), record("new", owner: nil)]),
                [.existing(first.job.id), .created],
                "what became of a later batch"
            )
            try requireEqual(try await fixture.ledger.create([]), [], "the creation of nothing")
            let swept = try await fixture.ledger.sweep(finishedBefore: .now + .seconds(60), limit: 10)
            try requireEqual(swept, 1, "swept jobs")
            let anew = try await fixture.ledger.create([record("k", owner: "crm")])
            try requireEqual(anew, [.created], "the key after the sweep")
        },
        Case("a batch of which one can't be created leaves nothing") { fixture in
            let taken = try await fixture.create(1)[0].id
            do {
                _ = try await fixture.ledger.create([record("a", owner: nil), record("b", owner: nil, id: taken)])
                throw LedgerContractBreach(description: "a job's id was given out twice")
            } catch is LedgerError {
                try requireEqual(try await fixture.jobs().map(\.id), [taken], "jobs")
            }
            let anew = try await fixture.ledger.create([record("a", owner: nil)])
            try requireEqual(anew, [.created], "the key after it")
        },
        Case("a dedup key that arrives 30 times at once is created once") { fixture in
            let answers = try await withThrowingTaskGroup(of: (JobID, [JobCreation]).self) { group in
                for index in 0..<30 {
                    let mine = record("same", owner: "crm")
                    let batch = index.isMultiple(of: 2) ? [mine, record("n\(index)", owner: "crm")] : [mine]
                    group.addTask { (mine.job.id, try await fixture.ledger.create(batch)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let winners = answers.filter { $0.1[0] == .created }.map(\.0)
            try requireEqual(winners.count, 1, "created jobs")
            try require(
                answers.allSatisfy { $0.1[0] == .created || $0.1[0] == .existing(winners[0]) },
                "others must get the created one: \(answers)"
            )
            try requireEqual(try await fixture.jobs().count, 16, "stored jobs")
        },
        Case("a direct job's end is written down for its webhook, with its result or its input") { fixture in
            try await fixture.create(3) { labels, index in
                if index < 2 { labels.webhook = "http://receiver.invalid/\(index)" }
            }
            let claimed = try await fixture.claim(3)
            let told = claimed.filter { $0.job.labels?.webhook != nil }
            let silent = try unwrap(claimed.first { $0.job.labels?.webhook == nil }, "the job without a webhook")
            let outcome = try await fixture.settle(
                .completion(told[0].job.id, told[0].lease, "[1]"),
                Settlement(job: told[1].job.id, event: .cancelled),
                .completion(silent.job.id, silent.lease)
            )
            try requireEqual(outcome.callbacks.map(\.task), told.map(\.job.id), "callbacks of the outcome")
            let app = [CallbackRecord.directApp]
            let taken = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .zero)
            try requireEqual(Set(taken.map(\.task)), Set(told.map(\.job.id)), "callbacks")
            for (end, body, state) in [(told[0], "[1]", "succeeded"), (told[1], "{}", "cancelled")] {
                let callback = try unwrap(taken.first { $0.task == end.job.id }, "the callback of \(state)")
                try requireEqual(callback.url, end.job.labels?.webhook, "receiver")
                try requireEqual(String(decoding: callback.body, as: UTF8.self), body, "body")
                try requireEqual(callback.headers.first?.value, state, "header")
            }
            let late = try await fixture.settle(.completion(told[0].job.id, told[0].lease))
            try requireEqual(late.callbacks.count, 0, "callbacks of a repeat")
        },
        Case("the sweep takes a direct job's callbacks along, and leaves a job that has one to be sent") { fixture in
            let jobs = try await fixture.create(2) { labels, index in
                if index == 0 { labels.webhook = "http://receiver.invalid/" }
            }
            try await fixture.settle(all: jobs.map { Settlement(job: $0.id, event: .cancelled) })
            let moment = Timestamp.now + .seconds(60)
            try requireEqual(try await fixture.ledger.sweep(finishedBefore: moment, limit: 10), 1, "swept")
            try requireEqual(try await fixture.jobs().map(\.id), [jobs[0].id], "jobs left")
            try requireEqual(try await fixture.deliverCallbacks(of: CallbackRecord.directApp), 1, "delivered callbacks")
            try requireEqual(try await fixture.ledger.callbacks(of: jobs[0].id).first?.attempts.count, 1, "attempts")
            try requireEqual(try await fixture.ledger.sweep(finishedBefore: moment, limit: 10), 1, "swept later")
            try requireEqual(try await fixture.ledger.callbacks(of: jobs[0].id).count, 0, "callbacks left")
            try requireEqual(try await fixture.jobs().count, 0, "jobs left at last")
        },
    ]
}
