// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceWorker

/// A worker that stood still or was cut off begins nothing that may be another's by then.
@Suite(.timeLimit(.minutes(1))) struct FrozenWorkerTests {
    /// What happens to the job while the worker stands still between its claim and the answer.
    enum Meanwhile: CaseIterable {
        case reaped, cancelled, overdue
    }

    @Test("A job that was lost between its claim and the answer does not begin", arguments: Meanwhile.allCases)
    func claimedBeforeTheFreeze(meanwhile: Meanwhile) async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler) {
            $0.beatInterval = .seconds(2)
            $0.settleTimeout = .milliseconds(100)
        }
        let ledger = fixture.inner
        let thawed = OneShot<Void>()
        let id = MeshID()
        fixture.ledger.whenClaimed {
            do {
                switch meanwhile {
                case .reaped:
                    _ = try await ledger.reap(olderThan: .zero, limit: 10)
                    let queue = QueueName.tickets(service: "work")
                    fixture.broker.post([Message(queue: queue, body: Ticket(job: id).body)])
                case .cancelled:
                    let cancel = Settlement(job: id, event: .cancelled, result: [])
                    _ = try await ledger.settle([cancel], tasks: [], finishing: DirectFinishing())
                case .overdue: break
                }
                // As long as a frozen process does not run: it is time itself that is tested here.
                try await Task.sleep(for: .seconds(1))
            } catch {
                Issue.record(error)
            }
            fixture.ledger.whenClaimed {}
            thawed.finish(.success(()))
        }
        await worker.start()
        try await fixture.add(1) { job in
            job.id = id
            if meanwhile == .overdue { job.deadline = .now + .milliseconds(800) }
        }
        try await thawed.value()
        try await until { worker.floor.leases.running == 0 || handler.inside > 0 }
        if meanwhile == .reaped {
            // Its next attempt may begin here, that one not.
            for await started in handler.started {
                #expect(started.attempt == 2)
                break
            }
        } else {
            #expect(handler.most == 0)
        }
        handler.open()
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A job that waited while the ledger was away begins only on its word")
    func waitsForTheWord() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler) {
            $0.beatInterval = .seconds(2)
            $0.settleTimeout = .milliseconds(100)
        }
        fixture.ledger.whenClaimed {
            fixture.ledger.isDown = true
            do { try await Task.sleep(for: .seconds(1)) } catch { Issue.record(error) }
        }
        await worker.start()
        try await fixture.add(1)
        try await until { worker.floor.leases.running == 1 && fixture.ledger.refused > 1 }
        #expect(handler.most == 0)
        fixture.ledger.isDown = false
        for await started in handler.started {
            #expect(started.attempt == 1)
            break
        }
        handler.open()
        await worker.drain(timeout: .seconds(5))
    }

    @Test("Where every answer of the ledger takes long a job begins all the same")
    func slowLedger() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        handler.open()
        let worker = fixture.worker(handler) { $0.beatInterval = .milliseconds(500) }
        await worker.start()
        try await until { worker.floor.lastBeat != nil }
        fixture.ledger.delay = .seconds(1)
        try await fixture.add(1)
        for await started in handler.started {
            #expect(started.attempt == 1)
            break
        }
        fixture.ledger.delay = .zero
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A word is young for less than a second, and safe for less than the reaper waits")
    func words() {
        let now = ContinuousClock.now
        let claim = LeaseWord(claimSentAt: now, beatAt: now - .seconds(2))
        #expect(claim.isFresh(now) && !claim.isFresh(now + .milliseconds(900)))
        #expect(claim.isSafe(now + .seconds(2)) && !claim.isSafe(now + .seconds(4)))
        #expect(!LeaseWord(claimSentAt: now, beatAt: nil).isFresh(now))
        #expect(!LeaseWord(claimSentAt: now, beatAt: now - .seconds(6)).isFresh(now))
        #expect(LeaseWord(beatAt: now).isFresh(now))
    }

    @Test("A job that waits in the feed is asked about before it is given")
    func feedAsks() {
        var state = FeedState(capacity: 10, batchMaxSize: 1, batchMaxWait: .zero)
        state.add("p", token: [1])
        let stale = job(isFresh: false)
        let fresh = job(isFresh: true)
        _ = state.enqueue(stale)
        _ = state.enqueue(fresh)
        let taker = FeedProcess.Taker(max: 5, connection: nil, answer: OneShot())
        let effects = state.take("p", taker)
        var asked: [UInt64] = []
        var given: [UInt64] = []
        for effect in effects {
            if case .confirm(let number, _) = effect { asked.append(number) }
            if case .give(_, let gifts) = effect { given += gifts.map(\.number) }
        }
        #expect(asked == [1] && given == [2])
        let outcomes = state.confirmed(1, mayBegin: false).compactMap { effect in
            if case .settle(_, let outcome) = effect { outcome } else { HandlerOutcome?.none }
        }
        #expect(outcomes == [.handedBack])
        #expect(state.waiting.isEmpty)
    }

    private func job(isFresh: Bool) -> FeedJob {
        var job = Job(id: MeshID(), service: "tested", createdAt: .now)
        job.lease = MeshID()
        let permit = BeginPermit(isFresh: { _ in isFresh }, confirm: { isFresh }, until: { nil })
        let work = HandlerWork(job: job, input: Array("1".utf8), service: "tested", permit: permit)
        return FeedJob(work, context: ProcessContext(), answer: OneShot())
    }
}
