// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MallaTestKit
import Plumbing
import Testing

@testable import Workflow

/// What App APIs and workers tell each other of slots and of the jobs for them.
@Suite struct AssignmentTests {
    private func item(_ input: String, change: (inout Job) -> Void = { _ in }) -> Assignment.Item {
        let now = Timestamp(microseconds: 1_790_000_000_123_456)
        var job = Job(id: MeshID(), service: "alpha", timeout: .milliseconds(1500), createdAt: now)
        change(&job)
        let claimed = JobRules.apply(.claimed(lease: LeaseID(), worker: "w-1"), to: job, at: now + .milliseconds(2))
        // Neither travels: no worker needs them.
        var told = claimed ?? job
        (told.rank, told.backoff, told.maxAttempts) = (now.microseconds, Job.defaultBackoff, 3)
        return .init(job: told, input: Array(input.utf8))
    }

    @Test func anAssignmentIsReadAsItWasWritten() throws {
        let now = Timestamp(microseconds: 1_790_000_000_123_456)
        let full = item("{\"n\":1}") { job in
            (job.task, job.app, job.stage, job.item) = (MeshID(), "demo", 2, 7)
            (job.deadline, job.trace) = (now + .seconds(60), "00-a-b-01")
        }
        for items in [[], [item("")], [full, item("[\"\n\"]"), item("\"ü\"")]] {
            let assignment = Assignment(sender: "a1", total: 17, items: items)
            #expect(try Assignment(body: assignment.body) == assignment)
        }
    }

    @Test(arguments: [
        "", "{}", "{}\n", "[1]\n", "{\"from\":\"a\",\"total\":1,\"jobs\":[{}]}\n",
        "{\"from\":\"a\",\"total\":1,\"jobs\":[]}\nrest",
    ])
    func whatIsNoAssignmentIsRefused(text: String) {
        #expect(throws: EnvelopeError.self) { try Assignment(body: Array(text.utf8)) }
    }

    @Test func aDamagedAssignmentIsRefusedOrReadButNeverTraps() {
        var random = SeededGenerator(seed: 7)
        let body = Assignment(sender: "a", total: 1, items: [item("{\"n\":1}"), item("[]")]).body
        for _ in 0..<2000 {
            var damaged = body
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                damaged[Int.random(in: damaged.indices, using: &random)] = .random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { damaged.removeLast(Int.random(in: 0...40, using: &random)) }
            guard let read = try? Assignment(body: damaged) else { continue }
            #expect(read.items.allSatisfy { $0.job.state == .running && $0.job.lease != nil })
        }
    }

    @Test func anOfferIsReadAsItWasWrittenAndNothingElseIsOne() throws {
        let now = Timestamp(microseconds: 1_790_000_000_123_456)
        let offer = SlotOffer(worker: "w-1", slots: ["alpha": 3, "beta": 256], seen: ["a1": 9], sentAt: now)
        #expect(SlotOffer(body: offer.body) == offer)
        let completion = Completion(
            job: MeshID(),
            lease: LeaseID(),
            failure: nil,
            result: Array("1".utf8),
            runMilliseconds: 1
        )
        #expect(SlotOffer(body: completion.body) == nil)
        #expect(SlotOffer(body: JobCancellation(job: MeshID()).body) == nil)
        #expect(SlotOffer(body: []) == nil)
        #expect(SlotOffer(body: Array("{\"offer\":\"w\"}\n".utf8)) == nil, "without its time")
        let odd = Array("{\"offer\":\"w\",\"at\":5,\"slots\":{\"a\":-1,\"b\":\"x\",\"c\":2}}\n".utf8)
        #expect(SlotOffer(body: odd)?.slots == ["c": 2])
    }

    @Test func anOfferHoldsForASecondByTheLedgersClock() {
        let now = Timestamp.now
        let offer = SlotOffer(worker: "w", slots: [:], sentAt: now)
        #expect(offer.isFresh(now))
        #expect(offer.isFresh(now + .milliseconds(999)))
        #expect(!offer.isFresh(now + .milliseconds(1000)))
        #expect(!offer.isFresh(now - .milliseconds(1001)))
    }
}
