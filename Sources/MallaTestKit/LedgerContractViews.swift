// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    static let viewCases = [
        Case("numbers count each end once, and the same after the sweep") { fixture in
            let query = NumbersQuery(app: LedgerFixture.app, user: nil)
            try requireEqual(try await fixture.ledger.numbers(query), [], "numbers of nothing")
            _ = try await fixture.accept(fixture.fanAll, payload: "{\"n\":1}")
            _ = try await fixture.work("alpha") { _ in .success("1") }
            _ = try await fixture.accept(fixture.fanAll, payload: "{\"n\":1}")
            _ = try await fixture.work("alpha") { _ in .failure(JobError(.handler, "no", isFinal: true)) }
            let cancelled = try await fixture.accept(fixture.fanAll)
            try await fixture.settle(task: cancelled, .cancelled)
            let running = try await fixture.accept(fixture.fanAll, payload: "{\"n\":1}")
            _ = try await fixture.claimOne()
            let second = fixture.request(fixture.fanAll, payload: "{\"n\":1}", user: "bob")
            try requireEqual(try await fixture.ledger.accept([second]), [.created], "acceptance")
            _ = try await fixture.work("alpha") { _ in .success("1") }
            let pending = fixture.request(fixture.chain, user: "bob")
            try requireEqual(try await fixture.ledger.accept([pending]), [.created], "acceptance")

            let before = try await fixture.ledger.numbers(query)
            func numbers(_ user: String?, _ method: String) throws -> Numbers {
                try unwrap(before.first { $0.user == user && $0.method == method }, "\(user ?? "all"): \(method)")
            }
            func counts(_ numbers: Numbers) -> [Int] {
                [
                    numbers.pending, numbers.running, numbers.succeeded, numbers.failed, numbers.cancelled,
                    numbers.timedOut,
                ]
            }
            try requireEqual(before.count, 5, "two users' numbers, of one and two methods, and those of all")
            let (ada, bob) = (try numbers("ada", "fan-all"), try numbers("bob", "fan-all"))
            let all = try numbers(nil, "fan-all")
            try requireEqual(counts(ada), [0, 1, 1, 1, 1, 0], "ada's numbers")
            try requireEqual(counts(bob), [0, 0, 1, 0, 0, 0], "bob's numbers")
            try requireEqual(counts(all), [0, 1, 2, 1, 1, 0], "everyone's numbers")
            try requireEqual(counts(try numbers("bob", "chain")), [1, 0, 0, 0, 0, 0], "bob's other numbers")
            try requireEqual(counts(try numbers(nil, "chain")), [1, 0, 0, 0, 0, 0], "everyone's other numbers")
            // The median of two lies between them.
            let adas = try unwrap(ada.p50Milliseconds, "ada's median")
            let bobs = try unwrap(bob.p50Milliseconds, "bob's median")
            let median = try unwrap(all.p50Milliseconds, "everyone's median")
            try require(abs(median - (adas + bobs) / 2) < 0.01, "\(median) of \(adas) and \(bobs)")
            try require(all.p95Milliseconds.map { $0 >= median } == true, "everyone's 95th percentile")
            let own = try await fixture.ledger.numbers(NumbersQuery(app: LedgerFixture.app, user: "bob"))
            try requireEqual(own.map(\.user), ["bob", "bob"], "numbers of one user")
            let past = try await fixture.ledger.numbers(
                NumbersQuery(app: LedgerFixture.app, user: nil, to: .now - .seconds(86_400))
            )
            try requireEqual(past, [], "numbers of yesterday")

            try await fixture.deliverCallbacks(of: LedgerFixture.app)
            try requireEqual(
                try await fixture.ledger.sweep(finishedBefore: .now - .seconds(60), limit: 10),
                0,
                "too early"
            )
            let moment = Timestamp.now + .seconds(60)
            try requireEqual(try await fixture.ledger.sweep(finishedBefore: moment, limit: 2), 2, "swept two")
            try requireEqual(try await fixture.ledger.sweep(finishedBefore: moment, limit: 10), 2, "swept the rest")
            try requireEqual(try await fixture.ledger.sweep(finishedBefore: moment, limit: 10), 0, "nothing is left")
            try require(try await fixture.ledger.task(cancelled) == nil, "a swept task is still there")
            try requireEqual(try await fixture.ledger.jobs(ofTask: cancelled, limit: 9).count, 0, "swept jobs")
            try requireEqual(try await fixture.ledger.callbacks(of: cancelled).count, 0, "swept callbacks")
            try requireEqual(try await fixture.view(running).task.state, .running, "a running task")
            let after = try await fixture.ledger.numbers(query).map { numbers in
                var numbers = numbers
                (numbers.p50Milliseconds, numbers.p95Milliseconds) = (nil, nil)
                return numbers
            }
            let expected = before.map { numbers in
                var numbers = numbers
                (numbers.p50Milliseconds, numbers.p95Milliseconds) = (nil, nil)
                return numbers
            }
            try requireEqual(Set(after), Set(expected), "numbers after the sweep")
            let again = try await fixture.ledger.accept([fixture.request(fixture.chain)])
            try requireEqual(again, [.created], "acceptance after the sweep")
        },
        Case("the sweep takes direct jobs that ended") { fixture in
            try await fixture.create(3)
            let claimed = try await fixture.claim(2)
            try await fixture.settle(all: claimed.map { .completion($0.job.id, $0.lease) })
            try requireEqual(
                try await fixture.ledger.sweep(finishedBefore: .now + .seconds(60), limit: 10),
                2,
                "swept jobs"
            )
            try require(try await fixture.ledger.job(claimed[0].job.id) == nil, "a swept job is still there")
            try requireEqual(try await fixture.ledger.loads(of: ["alpha"]).first?.waiting, 1, "waiting jobs")
        },
        Case("a document is written by whoever knows its version") { fixture in
            let name = "gallery/faces"
            try require(try await fixture.ledger.document(name) == nil, "a document that nobody wrote")
            let early = try await fixture.ledger.write(document: name, expecting: 1, [1])
            try require(!early, "written over a version that is not there")
            let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        try await fixture.ledger.write(document: name, expecting: 0, [UInt8(writer), 0, 255])
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            try requireEqual(wins, 1, "winners of the first version")
            try requireEqual(try await fixture.ledger.document(name)?.version, 1, "version")
            let second = try await fixture.ledger.write(document: name, expecting: 1, [])
            try require(second, "the second version was refused")
            let document = try unwrap(try await fixture.ledger.document(name), "the document")
            try requireEqual(document.version, 2, "version")
            try requireEqual(document.bytes, [], "bytes")
        },
        Case("jobs are listed newest first, by state and service, page by page") { fixture in
            let alpha = try await fixture.create(5) { job, index in
                job.id = MeshID(at: job.createdAt + .milliseconds(index * 10))
            }
            let beta = try await fixture.create(1, service: "beta") { job, _ in
                job.id = MeshID(at: job.createdAt + .seconds(1))
            }
            let running = try await fixture.claimOne()
            let all = try await fixture.jobs()
            try requireEqual(all.map(\.id), beta.map(\.id) + alpha.map(\.id).reversed(), "all jobs")
            let page = try await fixture.jobs(limit: 2) { $0.before = all[1].id }
            try requireEqual(page.map(\.id), [all[2].id, all[3].id], "a page")
            let found = try await fixture.jobs { ($0.services, $0.states) = (["alpha"], [.running]) }
            try requireEqual(found.map(\.id), [running.job.id], "running jobs")
            let waiting = try await fixture.jobs(limit: 2) {
                ($0.services, $0.states, $0.before) = (["alpha"], [.waiting], alpha[3].id)
            }
            try requireEqual(waiting.count, 2, "a page of waiting jobs")
            try requireEqual(try await fixture.jobs { $0.services = ["gamma"] }.count, 0, "jobs of no service")
        },
        Case("a job reads back as it was written") { fixture in
            let now = Timestamp.now
            var job = Job(
                id: MeshID(at: now),
                service: "alpha",
                maxAttempts: 7,
                backoff: Backoff(base: .milliseconds(1500), cap: .seconds(90), jitter: 0.25),
                timeout: .milliseconds(2500),
                deadline: now + .seconds(9),
                runAfter: now + .seconds(5),
                rank: -5,
                createdAt: now,
                trace: "00-a-b-01"
            )
            job.failures = 1
            job.error = JobError(.provider, "said \"no\"\n", isFinal: false, field: "/a~1b")
            let input: [UInt8] = [0x22, 0, 0xFF, 0x22]
            try await fixture.ledger.create([JobRecord(job: job, input: input)])
            let record = try unwrap(try await fixture.ledger.job(job.id), "the job")
            try requireEqual(record.job, job, "job")
            try requireEqual(record.input, input, "input")
            try require(record.result == nil && record.usage == nil, "a result from nowhere")
            try require(try await fixture.ledger.job(MeshID()) == nil, "a job from nowhere")
            try require(try await fixture.ledger.task(MeshID()) == nil, "a task from nowhere")
            try await fixture.ledger.create([])
        },
        Case("workers are listed with what they said last, until they retire") { fixture in
            try await fixture.beat("w1")
            let beat = WorkerBeat(
                worker: "w2",
                name: "two",
                services: ["alpha", "ü"],
                slots: 8,
                running: 3,
                isDraining: true,
                trouble: Array("{\"exit\":1}".utf8)
            )
            _ = try await fixture.ledger.beat(beat, leases: [])
            let workers = try await fixture.ledger.workers().sorted { $0.beat.worker < $1.beat.worker }
            try requireEqual(workers.map(\.beat.worker), ["w1", "w2"], "workers")
            try requireEqual(workers[1].beat.services, beat.services, "services")
            try requireEqual(workers[1].beat.name, "two", "name")
            try requireEqual([workers[1].beat.slots, workers[1].beat.running], [8, 3], "slots and running")
            try require(workers[1].beat.isDraining, "draining was lost")
            try requireEqual(workers[1].beat.trouble, beat.trouble, "trouble")
            try require(workers.allSatisfy(\.isAlive), "workers that have just beaten are alive")
            try await fixture.pass(.seconds(7))
            let silent = try await fixture.ledger.workers()
            try requireEqual(silent.map(\.isAlive), [false, false], "silent workers are shown as such")
            try await fixture.ledger.retire(worker: "w1")
            try requireEqual(try await fixture.ledger.workers().map(\.beat.worker), ["w2"], "workers left")
            try await fixture.ledger.retire(worker: "nobody")
        },
        Case("a closed ledger says that it is unavailable") { fixture in
            await fixture.ledger.close()
            do {
                _ = try await fixture.ledger.loads(of: ["alpha"])
                throw LedgerContractBreach(description: "a closed ledger answered")
            } catch let error as LedgerError {
                try requireEqual(error.code, .unavailable, "code")
            }
            do {
                try await fixture.ledger.create([])
                _ = try await fixture.accept(fixture.chain)
                throw LedgerContractBreach(description: "a closed ledger accepted")
            } catch let error as LedgerError {
                try requireEqual(error.code, .unavailable, "code")
            }
            await fixture.ledger.close()
        },
    ]
}
