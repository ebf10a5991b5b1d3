// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Testing

extension BrokerContract {
    static let consuming: [BrokerContract] = [
        BrokerContract("no more than the prefetch is unsettled") { broker in
            let queue = try await fresh(broker)
            try await broker.publish(messages(queue, 10))
            let got = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 3) { got.take($0) }
            try await got.wait(for: 3)
            #expect(try await broker.depth(of: queue) == 7)
            subscription.settle([got.all[1].tag], .acknowledged)
            try await got.wait(for: 4)
            #expect(try await broker.depth(of: queue) == 6)
            #expect(got.texts == texts(0..<4))
        },
        BrokerContract("a transient queue is like any other while it is consumed") { broker in
            let queue = name()
            try await broker.declareTransient(queue)
            try await broker.declareTransient(queue)
            let got = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 3) { got.take($0) }
            #expect(broker.post(messages(queue, 5)))
            try await got.wait(for: 3)
            subscription.settle(got.all.map(\.tag), .acknowledged)
            try await got.wait(for: 5)
            #expect(got.texts == texts(0..<5))
            await subscription.cancel()
        },
        BrokerContract("what is unsettled goes back when it is cancelled") { broker in
            let queue = try await fresh(broker)
            try await broker.publish(messages(queue, 5))
            let got = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 10) { got.take($0) }
            try await got.wait(for: 5)
            // With gaps: the first and the third.
            subscription.settle([got.all[2].tag, got.all[0].tag], .acknowledged)
            await subscription.cancel()
            await subscription.cancel()
            let again = BrokerDeliveries()
            _ = try await broker.consume(queue, prefetch: 10) { again.take($0) }
            try await again.wait(for: 3)
            #expect(again.texts == ["1", "3", "4"])
            #expect(!again.all.contains { !$0.isRedelivered })
            await #expect(throws: BrokerError.self) { try await subscription.pause() }
        },
        BrokerContract("a requeued message comes again") { broker in
            let queue = try await fresh(broker)
            try await broker.publish(messages(queue, 4))
            let got = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 2) { got.take($0) }
            try await got.wait(for: 2)
            subscription.settle([got.all[0].tag], .requeued)
            try await got.wait(for: 3)
            // Classic queues put it back in its place, quorum queues at their end.
            subscription.settle([got.all[1].tag, got.all[2].tag], .acknowledged)
            try await got.wait(for: 5)
            #expect(got.texts.sorted() == ["0", "0", "1", "2", "3"])
            #expect(got.all.filter(\.isRedelivered).map(\.body) == [Array("0".utf8)])
        },
        BrokerContract("pause stops and resume goes on") { broker in
            let queue = try await fresh(broker)
            let got = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 10) { got.take($0) }
            try await broker.publish(messages(queue, 2))
            try await got.wait(for: 2)
            try await subscription.pause()
            try await subscription.pause()
            try await broker.publish(messages(queue, 3, from: 2))
            #expect(try await broker.depth(of: queue) == 3)
            #expect(got.all.count == 2)
            // Settled while it is paused.
            subscription.settle([got.all[0].tag], .acknowledged)
            subscription.settle([got.all[1].tag], .requeued)
            try await subscription.resume()
            try await subscription.resume()
            try await got.wait(for: 6)
            #expect(got.texts.sorted() == ["0", "1", "1", "2", "3", "4"])
        },
        BrokerContract("two consumers share a queue") { broker in
            let queue = try await fresh(broker)
            let (one, two) = (BrokerDeliveries(), BrokerDeliveries())
            _ = try await broker.consume(queue, prefetch: 5) { one.take($0) }
            _ = try await broker.consume(queue, prefetch: 5) { two.take($0) }
            try await broker.publish(messages(queue, 10))
            try await one.wait(for: 5)
            try await two.wait(for: 5)
            #expect(Set(one.texts + two.texts) == Set(texts(0..<10)))
        },
        BrokerContract("an old, unknown or repeated tag is passed over") { broker in
            let queue = try await fresh(broker)
            let got = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 2) { got.take($0) }
            try await broker.publish(messages(queue, 4))
            try await got.wait(for: 2)
            let tag = got.all[0].tag
            let old = DeliveryTag(generation: tag.generation &+ 1000, number: tag.number)
            subscription.settle([old, DeliveryTag(generation: tag.generation, number: 9999)], .acknowledged)
            subscription.settle([], .acknowledged)
            #expect(try await broker.depth(of: queue) == 2)
            subscription.settle([tag, tag], .acknowledged)
            subscription.settle([tag], .requeued)
            try await got.wait(for: 3)
            subscription.settle(got.all.dropFirst().map(\.tag), .acknowledged)
            try await got.wait(for: 4)
            #expect(got.texts == texts(0..<4))
        },
        BrokerContract("a consumer is set up before its queue has messages, and settles from its handler") { broker in
            let queue = try await fresh(broker)
            let got = BrokerDeliveries()
            let (tags, feed) = AsyncStream<[DeliveryTag]>.makeStream()
            let subscription = try await broker.consume(queue, prefetch: 1) { deliveries in
                // In this order, or the last tags might come after the feed has been finished.
                feed.yield(deliveries.map(\.tag))
                got.take(deliveries)
            }
            let settling = Task { for await some in tags { subscription.settle(some, .acknowledged) } }
            try await broker.publish(messages(queue, 100))
            try await got.wait(for: 100)
            #expect(got.texts == texts(0..<100))
            feed.finish()
            await settling.value
            await subscription.cancel()
            #expect(try await broker.depth(of: queue) == 0)
        },
    ]
}
