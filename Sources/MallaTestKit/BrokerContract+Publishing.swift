// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Testing

extension BrokerContract {
    static let publishing: [BrokerContract] = [
        BrokerContract("messages come in order") { broker in
            let queue = try await fresh(broker)
            let got = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 100) { got.take($0) }
            try await broker.publish(messages(queue, 30))
            try await broker.publish(messages(queue, 30, from: 30))
            try await got.wait(for: 60)
            #expect(got.texts == texts(0..<60))
            #expect(got.all.allSatisfy { !$0.isRedelivered && $0.trace == nil })
            subscription.settle(got.all.map(\.tag), .acknowledged)
            await subscription.cancel()
            #expect(try await broker.depth(of: queue) == 0)
        },
        BrokerContract("no, one and ten thousand messages") { broker in
            let queue = try await fresh(broker)
            try await broker.publish([])
            #expect(try await broker.depth(of: queue) == 0)
            let got = BrokerDeliveries()
            let subscription = try await broker.consume(queue, prefetch: 20_000) { got.take($0) }
            try await broker.publish(messages(queue, 1))
            try await got.wait(for: 1)
            try await broker.publish(messages(queue, 10_000, from: 1))
            try await got.wait(for: 10_001)
            #expect(got.texts == texts(0..<10_001))
            subscription.settle(got.all.map(\.tag), .acknowledged)
            await subscription.cancel()
            #expect(try await broker.depth(of: queue) == 0)
        },
        BrokerContract("a message of 1 MB and an empty one") { broker in
            let queue = try await fresh(broker)
            let big = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let got = BrokerDeliveries()
            _ = try await broker.consume(queue, prefetch: 2) { got.take($0) }
            try await broker.publish([Message(queue: queue, body: big), Message(queue: queue, body: [])])
            try await got.wait(for: 2)
            #expect(got.all[0].body == big)
            #expect(got.all[1].body.isEmpty)
        },
        BrokerContract("a missing queue is told, and harms no other message") { broker in
            let queue = try await fresh(broker)
            let missing = name()
            let error = await #expect(throws: BrokerError.self) {
                try await broker.publish(
                    messages(queue, 1) + messages(missing, 1) + messages(queue, 1, from: 1)
                )
            }
            #expect(error?.code == .unroutable)
            #expect(error?.reason.contains(missing) == true)
            #expect(try await broker.depth(of: queue) == 2)
            let other = await #expect(throws: BrokerError.self) {
                _ = try await broker.consume(missing, prefetch: 1) { _ in }
            }
            #expect(other?.code == .unroutable)
            try await broker.publish(messages(queue, 1))
        },
        BrokerContract("declaring twice is harmless") { broker in
            let queue = try await fresh(broker)
            try await broker.publish(messages(queue, 2))
            try await broker.declare(queue)
            #expect(try await broker.depth(of: queue) == 2)
        },
        BrokerContract("posted messages arrive") { broker in
            let queue = try await fresh(broker)
            let got = BrokerDeliveries()
            _ = try await broker.consume(queue, prefetch: 2000) { got.take($0) }
            #expect(broker.post(messages(queue, 1000)))
            broker.post(messages(name(), 3))
            broker.post([])
            try await got.wait(for: 1000)
            #expect(got.texts == texts(0..<1000))
        },
        BrokerContract("the trace is carried") { broker in
            let queue = try await fresh(broker)
            let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let got = BrokerDeliveries()
            _ = try await broker.consume(queue, prefetch: 2) { got.take($0) }
            try await broker.publish([Message(queue: queue, body: [1], trace: trace), Message(queue: queue, body: [2])])
            try await got.wait(for: 2)
            #expect(got.all.map(\.trace) == [trace, nil])
        },
        BrokerContract("many callers publish at once") { broker in
            let queue = try await fresh(broker)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<200 {
                    group.addTask { try await broker.publish(messages(queue, 5, from: index * 5)) }
                }
                try await group.waitForAll()
            }
            #expect(try await broker.depth(of: queue) == 1000)
        },
    ]
}
