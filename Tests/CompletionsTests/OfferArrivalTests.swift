// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import Completions

/// What workers offer beside their completions.
@Suite(.timeLimit(.minutes(1))) struct OfferArrivalTests {
    private let offer = SlotOffer(worker: "w-1", slots: ["echo": 3], sentAt: .now)
    private let queue = QueueName.completions(service: "echo")

    @Test func itIsToldBeforeTheCompletionsOfItsMessageAreSettled() async throws {
        let fixture = try await CompletionsFixture()
        let heard = Heard()
        try await fixture.serve(offered: heard.hear) { [offer, queue] in
            let created = try await fixture.create(2)
            let jobs = try await fixture.claim(2)
            #expect(Set(jobs.map(\.id)) == Set(created.map(\.id)))
            let bodies = jobs.map { job in
                Completion(
                    job: job.id,
                    lease: job.lease ?? MeshID(),
                    failure: nil,
                    result: Array("1".utf8),
                    runMilliseconds: 1
                ).body
            }
            let body = CompletionBatch.body(of: bodies + [offer.body])
            try await fixture.broker.publish([Message(queue: queue, body: body)])
            #expect(Set(try await fixture.ended(2).map(\.id)) == Set(created.map(\.id)))
            // Not waited for: what was settled went by it.
            #expect(heard.offers == [offer])
            try await until { try await fixture.broker.depth(of: queue) == 0 }
        }
    }

    @Test func oneThatComesAloneIsAcknowledgedAndNoneIsHeardTwice() {
        let subscription = SettledTags()
        let queue = CompletionQueue()
        queue.attach(subscription)
        var heard: [SlotOffer] = []
        for isRedelivered in [false, true] {
            let tag = DeliveryTag(generation: 1, number: isRedelivered ? 2 : 1)
            let delivery = Delivery(tag: tag, body: offer.body, trace: nil, isRedelivered: isRedelivered)
            #expect(Arrival.all(of: delivery, in: queue) { heard.append($0) }.isEmpty)
        }
        #expect(heard == [offer])
        #expect(subscription.acknowledged == [1, 2])
    }
}

/// What was heard of offers.
private final class Heard: Sendable {
    private let all = Mutex<[SlotOffer]>([])

    var offers: [SlotOffer] { all.withLock { $0 } }

    @Sendable func hear(_ offer: SlotOffer) { all.withLock { $0.append(offer) } }
}

/// A subscription that delivers nothing and remembers what was acknowledged.
private final class SettledTags: Subscription {
    private let tags = Mutex<[UInt64]>([])

    var acknowledged: [UInt64] { tags.withLock { $0 } }

    func settle(_ tags: [DeliveryTag], _ settlement: DeliverySettlement) {
        guard settlement == .acknowledged else { return }
        self.tags.withLock { $0 += tags.map(\.number) }
    }

    func pause() async throws(BrokerError) {}

    func resume() async throws(BrokerError) {}

    func cancel() async {}
}
