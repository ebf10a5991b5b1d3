// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Benchmark
import BrokerClient
import BrokerInProcess
import Plumbing

/// The embedded broker: 1,000 messages of 1 KiB from the publisher to the consumer and settled.
enum BrokerBenchmarks {
    static func register() {
        Benchmark("embedded broker: 1,000 messages") { benchmark in
            let broker = InProcessBroker()
            try await broker.declare("q")
            let (arrived, continuation) = AsyncStream<[DeliveryTag]>.makeStream()
            let subscription = try await broker.consume("q", prefetch: 256) { continuation.yield($0.map(\.tag)) }
            let messages = Array(repeating: Message(queue: "q", body: EnvelopeBenchmarks.payload), count: 1000)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                try await broker.publish(messages)
                var count = 0
                for await tags in arrived {
                    subscription.settle(tags, .acknowledged)
                    count += tags.count
                    if count == messages.count { break }
                }
            }
            benchmark.stopMeasurement()
            await broker.close()
        }
    }
}
