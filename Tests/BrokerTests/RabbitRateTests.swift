// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerRabbitMQ
import Foundation
import MallaTestKit
import Plumbing
import Testing

extension RabbitMQTests {
    /// The rate of the whole way: publish, confirm, consume, acknowledge.
    ///
    /// Only with `MALLA_TEST_RATES` set.
    @Suite struct Rates {
        @Test(
            .needs(.amqp),
            .enabled(if: ProcessInfo.processInfo.environment["MALLA_TEST_RATES"] != nil),
            arguments: [1, 10, 100]
        )
        func wholeWay(batch: Int) async throws {
            let broker = try RabbitBroker.forTests()
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            let got = BrokerDeliveries()
            let (tags, feed) = AsyncStream<[DeliveryTag]>.makeStream()
            let subscription = try await broker.consume(queue, prefetch: 1000) { deliveries in
                feed.yield(deliveries.map(\.tag))
                got.take(deliveries)
            }
            let settling = Task { for await some in tags { subscription.settle(some, .acknowledged) } }
            let total = 60_000
            let callers = 200
            let body = [UInt8](repeating: 120, count: 200)
            let took = try await ContinuousClock().measure {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<callers {
                        group.addTask {
                            let messages = [Message](repeating: Message(queue: queue, body: body), count: batch)
                            for _ in 0..<total / callers / batch { try await broker.publish(messages) }
                        }
                    }
                    try await group.waitForAll()
                }
                try await got.wait(for: total)
            }
            feed.finish()
            await settling.value
            await subscription.cancel()
            #expect(try await broker.depth(of: queue) == 0)
            print("rate: \(callers) callers, \(batch) a call: \(Int(Double(total) / took.inSeconds)) messages/s")
            await broker.close()
        }
    }
}
