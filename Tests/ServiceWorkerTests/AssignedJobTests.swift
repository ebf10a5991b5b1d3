// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import ServiceWorker

/// Jobs that a worker is given without a ticket.
@Suite(.timeLimit(.minutes(1))) struct AssignedJobTests {
    private func started(_ worker: ServiceWorker, _ fixture: WorkerFixture) async throws {
        await worker.start()
        try await until { worker.floor.offers.withLock { $0.isOpen } && worker.floor.isOpen }
        try await until { try await fixture.broker.depth(of: QueueName.tickets(service: "work")) != nil }
        try await until { await worker.lines[0].isConsuming }
    }

    @Test func theyRunAndNobodyClaimsThem() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0.adding("ok", true) }, slots: 4) {
            $0.ticketHold = .seconds(60)
        }
        try await started(worker, fixture)
        let jobs = try await fixture.assign(40, to: worker)
        let done = await settled.first(40)
        #expect(Set(done.map(\.completion.job)) == Set(jobs.map(\.id)))
        #expect(done.allSatisfy { $0.verdict == .applied(.succeeded) })
        #expect(done.allSatisfy { $0.completion.result == Array("{\"n\":1,\"ok\":true}".utf8) })
        for job in jobs { #expect(try await fixture.inner.job(job.id)?.job.attempt == 1) }
        await worker.drain(timeout: .seconds(5))
        #expect(try await fixture.broker.depth(of: QueueName.assignments(worker: worker.id)) == nil)
    }

    @Test func oneThatFindsNoSlotWaitsForItAndThenGoesToOthers() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let handler = HoldHandler()
        let worker = fixture.worker(handler)
        try await started(worker, fixture)
        let jobs = try await fixture.assign(2, to: worker)
        #expect(await handler.started.first(1).first?.id == jobs[0].id)
        try await until { try await fixture.state(jobs[1]) == .waiting }
        #expect(try await fixture.state(jobs[0]) == .running)
        handler.open()
        // Its ticket was made when it was given back.
        #expect(Set(await settled.first(2).map(\.completion.job)) == Set(jobs.map(\.id)))
        #expect(try await fixture.inner.job(jobs[1].id)?.job.attempt == 2)
        await worker.drain(timeout: .seconds(5))
    }

    @Test func oneThatNeverCameIsGivenBackAndMustNotRunWhenItComesLate() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let runs = Mutex(0)
        let worker = fixture.worker(
            FunctionHandler { input in
                runs.withLock { $0 += 1 }
                return input
            }
        )
        try await started(worker, fixture)
        let (job, message) = try await fixture.assignment(1, to: worker)
        await worker.floor.giveBackStrays(olderThan: .zero)
        #expect(await settled.first(1).first?.completion.job == job[0].id, "its new ticket found it")
        #expect(try await fixture.inner.job(job[0].id)?.job.attempt == 2)
        fixture.broker.post([message])
        let next = try await fixture.assign(1, to: worker)[0]
        #expect(await settled.first(1).first?.completion.job == next.id)
        // One slot, and jobs begin in order: the late one would have been before the next.
        #expect(runs.withLock { $0 } == 2)
        await worker.drain(timeout: .seconds(5))
    }

    @Test func whatTheWorkerKnowsIsNoStray() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler, slots: 2)
        try await started(worker, fixture)
        let assigned = try await fixture.assign(1, to: worker)[0]
        let claimed = try await fixture.add(1)[0]
        #expect(Set(await handler.started.first(2).map(\.id)) == [assigned.id, claimed.id])
        worker.floor.arrivals.forget(at: .now + .seconds(10))
        await worker.floor.giveBackStrays(olderThan: .zero)
        handler.open()
        // Nobody settles: in the outbox they are known as well.
        try await until { worker.floor.outbox.count == 2 }
        worker.floor.arrivals.forget(at: .now + .seconds(10))
        await worker.floor.giveBackStrays(olderThan: .zero)
        #expect(try await fixture.state(assigned) == .running)
        #expect(try await fixture.state(claimed) == .running)
        await worker.drain(timeout: .zero)
    }

    @Test func theSameJobTwiceRunsOnce() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler, slots: 4)
        try await started(worker, fixture)
        let (jobs, message) = try await fixture.assignment(1, to: worker)
        fixture.broker.post([message, message])
        #expect(await handler.started.first(1).first?.id == jobs[0].id)
        // Its acknowledgement was lost, long ago.
        worker.floor.arrivals.forget(at: .now + .seconds(10))
        fixture.broker.post([message])
        let next = try await fixture.assign(1, to: worker)[0]
        #expect(await handler.started.first(1).first?.id == next.id)
        #expect(handler.most == 2)
        handler.open()
        await worker.drain(timeout: .zero)
    }

    @Test func oneThatWasCancelledOnItsWayNeverStarts() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler, slots: 4)
        try await started(worker, fixture)
        let (jobs, message) = try await fixture.assignment(1, to: worker)
        let lease = try #require(try await fixture.inner.job(jobs[0].id)?.job.lease)
        let cancel = Settlement(job: jobs[0].id, event: .cancelled)
        _ = try await fixture.inner.settle([cancel], tasks: [], finishing: DirectFinishing())
        worker.floor.leases.hint(lease)
        fixture.broker.post([message])
        let next = try await fixture.assign(1, to: worker)[0]
        #expect(await handler.started.first(1).first?.id == next.id)
        handler.open()
        await worker.drain(timeout: .zero)
    }

    @Test func oneWhoseCommitIsUnderWayGoesOnAndOneThatIsNeverCommittedIsDropped() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler, slots: 4) { $0.beatInterval = .seconds(60) }
        try await started(worker, fixture)
        let (jobs, records, message) = fixture.announcement(2, to: worker)
        fixture.broker.post([message])
        #expect(Set(await handler.started.first(2).map(\.id)) == Set(jobs.map(\.id)))
        await worker.beat()
        #expect(worker.floor.leases.entries.allSatisfy { $0.stopReason == nil }, "their rows may be about to come")
        try await fixture.inner.create([records[0]])
        handler.open()
        // Nobody settles.
        try await until { worker.floor.outbox.count == 2 }
        await worker.beat()
        let leases = jobs.compactMap(\.lease)
        #expect(leases.allSatisfy(worker.floor.outbox.holds), "nor is a completion forgotten")
        let probe = LeaseProbe(job: jobs[1].id, lease: leases[1])
        let later = ContinuousClock.now + LeaseWord.lead
        #expect(worker.floor.certain([(probe, .unknown)], at: .now).isEmpty)
        #expect(worker.floor.certain([(probe, .unknown)], at: later).count == 1)
        #expect(worker.floor.certain([(probe, .settled)], at: .now).count == 1)
        await worker.drain(timeout: .zero)
    }

    @Test func aRunningOneThatIsNeverCommittedIsStopped() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler) { $0.beatInterval = .milliseconds(200) }
        try await started(worker, fixture)
        let (jobs, _, message) = fixture.announcement(1, to: worker)
        fixture.broker.post([message])
        let begun = ContinuousClock.now
        #expect(await handler.started.first(1).first?.id == jobs[0].id)
        try await until { worker.floor.leases.running == 0 }
        #expect(ContinuousClock.now - begun > .seconds(2), "no beat stopped it before")
        #expect(worker.floor.outbox.count == 0)
        handler.open()
        await worker.drain(timeout: .seconds(5))
    }

    @Test func aDrainingWorkerGivesThemBack() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler, slots: 2)
        try await started(worker, fixture)
        let running = try await fixture.assign(1, to: worker)[0]
        #expect(await handler.started.first(1).first?.id == running.id)
        async let drained: Void = worker.drain(timeout: .seconds(20))
        try await until { await worker.isDraining }
        let late = try await fixture.assign(1, to: worker)[0]
        try await until { try await fixture.state(late) == .waiting }
        handler.open()
        let settled = try await fixture.settler()
        #expect(await settled.first(1).first?.completion.job == running.id)
        await drained
        #expect(try await fixture.state(late) == .waiting)
        #expect(try await fixture.inner.job(late.id)?.job.orphaned == 0)
    }

    @Test func aDrainingWorkerGivesBackWhatIsCommittedAMomentLater() async throws {
        let fixture = try await WorkerFixture()
        let handler = HoldHandler()
        let worker = fixture.worker(handler)
        try await started(worker, fixture)
        _ = try await fixture.assign(1, to: worker)
        _ = await handler.started.first(1)
        async let drained: Void = worker.drain(timeout: .seconds(50))
        try await until { await worker.isDraining }
        let (jobs, records, message) = fixture.announcement(1, to: worker)
        fixture.broker.post([message])
        let lease = try #require(jobs[0].lease)
        try await until { fixture.ledger.returned.contains(lease) }
        try await fixture.inner.create(records)
        // Long before the job that runs has ended.
        try await until { try await fixture.state(jobs[0]) == .waiting }
        #expect(worker.floor.leases.running == 1)
        handler.open()
        await drained
    }

    @Test func whatIsNoAssignmentIsDroppedAndTheNextOneRuns() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0 })
        try await started(worker, fixture)
        fixture.broker.post([Message(queue: QueueName.assignments(worker: worker.id), body: [1, 2, 3])])
        let foreign = try await fixture.assign(1, to: worker) { $0.service = "elsewhere" }[0]
        let job = try await fixture.assign(1, to: worker)[0]
        #expect(await settled.first(1).first?.completion.job == job.id)
        try await until { try await fixture.state(foreign) == .waiting }
        await worker.drain(timeout: .seconds(5))
    }

    @Test func freeSlotsAreOfferedWithTheCompletionsOfAnApp() async throws {
        let fixture = try await WorkerFixture()
        let queue = QueueName.completions(app: "demo")
        try await fixture.broker.declare(queue)
        let deliveries = BrokerDeliveries()
        _ = try await fixture.broker.consume(queue, prefetch: 100) { deliveries.take($0) }
        let worker = fixture.worker(FunctionHandler { $0 }, slots: 4)
        try await started(worker, fixture)
        try await fixture.assign(1, to: worker, total: 41) { $0.app = "demo" }
        try await deliveries.wait(for: 1)
        let bodies = try CompletionBatch.bodies(of: deliveries.all[0].body)
        let offer = try #require(bodies.compactMap { SlotOffer(body: $0) }.first)
        #expect(bodies.count == 2)
        #expect(offer.worker == worker.id)
        #expect(offer.slots == ["work": 4], "the slot of this very job is free again")
        #expect(offer.seen == ["test": 41])
        await worker.drain(timeout: .zero)
    }
}

extension WorkerFixture {
    /// Jobs as claimed by a worker, which nobody has stored, with the message that says so.
    func announcement(
        _ count: Int,
        to worker: ServiceWorker,
        total: Int = 1,
        change: (inout Job) -> Void = { _ in }
    ) -> (jobs: [Job], records: [JobRecord], message: Message) {
        let now = Timestamp.now
        let jobs = (0..<count).map { _ in
            var job = Job(id: MeshID(), service: "work", createdAt: now)
            change(&job)
            return JobRules.apply(.claimed(lease: LeaseID(), worker: worker.id), to: job, at: now) ?? job
        }
        let input = Array("{\"n\":1}".utf8)
        let items = jobs.map { Assignment.Item(job: $0, input: input) }
        let body = Assignment(sender: "test", total: total, items: items).body
        let message = Message(queue: QueueName.assignments(worker: worker.id), body: body)
        return (jobs, jobs.map { JobRecord(job: $0, input: input) }, message)
    }

    /// Stores jobs as claimed by a worker, with the message that says so.
    func assignment(
        _ count: Int,
        to worker: ServiceWorker,
        total: Int = 1,
        change: (inout Job) -> Void = { _ in }
    ) async throws -> (jobs: [Job], message: Message) {
        let (jobs, records, message) = announcement(count, to: worker, total: total, change: change)
        try await inner.create(records)
        return (jobs, message)
    }

    /// Gives jobs to a worker.
    @discardableResult
    func assign(
        _ count: Int,
        to worker: ServiceWorker,
        total: Int = 1,
        change: (inout Job) -> Void = { _ in }
    ) async throws -> [Job] {
        let (jobs, message) = try await assignment(count, to: worker, total: total, change: change)
        broker.post([message])
        return jobs
    }
}
