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
    /// A broker that stops, hangs, blocks or loses a queue, and one that refuses.
    @Suite struct Faults {
        private func text(_ queue: String, _ range: Range<Int>) -> [Message] {
            range.map { Message(queue: queue, body: Array("\($0)".utf8)) }
        }

        /// A consumer that acknowledges everything at once.
        private func drain(
            _ broker: RabbitBroker,
            _ queue: String,
            into got: BrokerDeliveries
        ) async throws -> Task<Void, Never> {
            let (tags, feed) = AsyncStream<[DeliveryTag]>.makeStream()
            let subscription = try await broker.consume(queue, prefetch: 20) { deliveries in
                feed.yield(deliveries.map(\.tag))
                got.take(deliveries)
            }
            return Task { for await some in tags { subscription.settle(some, .acknowledged) } }
        }

        private func publishUntilTaken(_ broker: RabbitBroker, _ messages: [Message]) async throws {
            while true {
                do {
                    return try await broker.publish(messages)
                } catch {
                    if !error.isRetriable, error.code != .unroutable { throw error }
                }
            }
        }

        @Test(.needs(.privateServers)) func aRestartLosesNothing() async throws {
            let broker = try RabbitBroker.forTests { $0.publishDeadline = .seconds(90) }
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            try await broker.publish(text(queue, 0..<100))
            let got = BrokerDeliveries()
            let settling = try await drain(broker, queue, into: got)
            try await got.wait(for: 100)
            try await privateServers("down", "rabbit")
            async let late: Void = broker.publish(text(queue, 100..<200))
            try await privateServers("up", "rabbit")
            try await late
            try await broker.publish(text(queue, 200..<300))
            // Counted once a turn: what comes between two counts would be waited for in vain.
            var texts = got.texts
            while Set(texts).count < 300 {
                try await got.wait(for: texts.count + 1)
                texts = got.texts
            }
            #expect(Set(texts) == Set((0..<300).map { "\($0)" }))
            settling.cancel()
            await broker.close()
        }

        @Test(.needs(.privateServers)) func durableMessagesSurviveARestart() async throws {
            let broker = try RabbitBroker.forTests()
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            try await broker.publish(text(queue, 0..<50))
            try await privateServers("down", "rabbit")
            try await privateServers("up", "rabbit")
            let other = try RabbitBroker.forTests { $0.publishDeadline = .seconds(60) }
            #expect(try await other.depth(of: queue) == 50)
            await other.close()
            await broker.close()
        }

        @Test(.needs(.privateServers)) func aStoppedBrokerEndsAPublishByItsDeadline() async throws {
            let broker = try RabbitBroker.forTests { $0.publishDeadline = .seconds(3) }
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            try await broker.publish(text(queue, 0..<1))
            let process = try #require(TestServers.processID(of: "rabbit"))
            kill(process, SIGSTOP)
            let big = Message(queue: queue, body: [UInt8](repeating: 7, count: 20_000_000))
            let clock = ContinuousClock()
            var failures: [BrokerError] = []
            let took = await clock.measure {
                await withTaskGroup(of: BrokerError?.self) { group in
                    for index in 0..<4 {
                        group.addTask {
                            do {
                                try await broker.publish(index == 1 ? [big] : [Message(queue: queue, body: [1])])
                                return nil
                            } catch {
                                return error as? BrokerError
                            }
                        }
                    }
                    for await failure in group { if let failure { failures.append(failure) } }
                }
            }
            kill(process, SIGCONT)
            #expect(failures.count == 4)
            #expect(failures.allSatisfy { error in error.code == .timeout })
            #expect(took < .seconds(5))
            try await publishUntilTaken(broker, text(queue, 1..<2))
            await broker.close()
        }

        @Test(.needs(.privateServers)) func aDeletedQueueIsConsumedAgain() async throws {
            let broker = try RabbitBroker.forTests()
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            let got = BrokerDeliveries()
            let settling = try await drain(broker, queue, into: got)
            try await broker.publish(text(queue, 0..<1))
            try await got.wait(for: 1)
            try await privateServers("ctl", "delete_queue", queue)
            try await publishUntilTaken(broker, text(queue, 1..<2))
            try await got.wait(for: 2)
            settling.cancel()
            await broker.close()
        }

        @Test(.needs(.privateServers)) func aBlockedBrokerDelaysPublishes() async throws {
            let broker = try RabbitBroker.forTests { $0.publishDeadline = .seconds(2) }
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            try await broker.publish(text(queue, 0..<1))
            try await privateServers("ctl", "set_vm_memory_high_watermark", "absolute", "1MB")
            // The first one after the alarm makes the broker say so.
            let error = await #expect(throws: BrokerError.self) {
                while true { try await broker.publish(text(queue, 1..<2)) }
            }
            #expect(error?.code == .timeout)
            try await broker.ping()
            try await privateServers("ctl", "set_vm_memory_high_watermark", "0.4")
            try await publishUntilTaken(broker, text(queue, 2..<3))
            await broker.close()
        }

        @Test(.needs(.amqp)) func aWrongPasswordIsRefusedAtOnce() async throws {
            let broker = try RabbitBroker.forTests { $0.password = "wrong" }
            let clock = ContinuousClock()
            let took = await clock.measure {
                let declaring = await #expect(throws: BrokerError.self) { try await broker.declare("x") }
                #expect(declaring?.code == .refused)
                #expect(declaring?.reason.contains("ACCESS_REFUSED") == true)
                #expect(declaring?.reason.contains("wrong") == false)
                let publishing = await #expect(throws: BrokerError.self) { try await broker.publish(text("x", 0..<1)) }
                #expect(publishing?.code == .refused)
            }
            #expect(took < .seconds(5))
            await broker.close()
        }

        @Test(.needs(.amqp)) func aMissingVirtualHostIsRefused() async throws {
            let broker = try RabbitBroker.forTests { $0.vhost = "no-such-host" }
            let error = await #expect(throws: BrokerError.self) { try await broker.declare("x") }
            #expect(error?.code == .refused)
            await broker.close()
        }

        @Test func anUnreachableBrokerEndsCallsByTheirDeadline() async throws {
            let broker = try RabbitBroker.forTests(url: "amqp://127.0.0.1:1") {
                $0.publishDeadline = .milliseconds(500)
            }
            let declaring = await #expect(throws: BrokerError.self) { try await broker.declare("x") }
            #expect(declaring?.code == .unavailable)
            let publishing = await #expect(throws: BrokerError.self) { try await broker.publish(text("x", 0..<3)) }
            #expect(publishing?.code == .timeout)
            #expect(publishing?.isRetriable == true)
            #expect(!broker.post(text("x", 0..<3)), "away")
            await broker.close()
        }

        @Test(.needs(.amqp)) func tooMuchThatWaitsIsAnOverflow() async throws {
            let broker = try RabbitBroker.forTests { $0.maxWaiting = 10 }
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            let error = await #expect(throws: BrokerError.self) { try await broker.publish(text(queue, 0..<11)) }
            #expect(error?.code == .overflow)
            for _ in 0..<5 { try await broker.publish(text(queue, 0..<10)) }
            #expect(try await broker.depth(of: queue) == 50)
            await broker.close()
        }

        @Test(.needs(.amqp)) func anIdleConnectionStaysUp() async throws {
            let broker = try RabbitBroker.forTests { $0.heartbeat = .seconds(1) }
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            let got = BrokerDeliveries()
            let settling = try await drain(broker, queue, into: got)
            try await broker.publish(text(queue, 0..<1))
            try await got.wait(for: 1)
            // The passing of time itself is what is tested: four heartbeats.
            try await Task.sleep(for: .seconds(4))
            try await broker.publish(text(queue, 1..<2))
            try await got.wait(for: 2)
            #expect(got.all[0].tag.generation == got.all[1].tag.generation)
            #expect(!got.all[1].isRedelivered)
            settling.cancel()
            await broker.close()
        }

        @Test(.needs(.amqps)) func encryptedAndChecked() async throws {
            let file = try #require(TestServers.caFile)
            let broker = try RabbitBroker.forTests(url: TestServers.amqps) { settings in
                settings.tls = RabbitSettings.TLS(caFile: file)
                settings.host = "localhost"
            }
            let queue = "malla-test-\(MeshID())"
            try await broker.declare(queue)
            let got = BrokerDeliveries()
            let settling = try await drain(broker, queue, into: got)
            try await broker.publish(text(queue, 0..<100))
            try await got.wait(for: 100)
            settling.cancel()
            await broker.close()
            let distrusting = try RabbitBroker.forTests(url: TestServers.amqps) { $0.host = "localhost" }
            let error = await #expect(throws: BrokerError.self) { try await distrusting.declare(queue) }
            #expect(error?.code == .refused)
            await distrusting.close()
        }
    }
}
