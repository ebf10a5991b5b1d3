// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
import Plumbing
public import Testing

/// What every broker adapter must do; each check is run on each adapter.
public struct BrokerContract: Sendable, CustomTestStringConvertible {
    /// What the check is about.
    public let testDescription: String
    /// Runs it on a broker of its own, which the caller closes, with queues of fresh names.
    public let run: @Sendable (any Broker) async throws -> Void

    /// All the checks.
    public static let all: [BrokerContract] =
        publishing + consuming + [
            BrokerContract("depth counts what waits") { broker in
                let queue = try await fresh(broker)
                try await broker.publish(messages(queue, 7))
                #expect(try await broker.depth(of: queue) == 7)
                #expect(try await broker.depth(of: name()) == nil)
                #expect(try await broker.depth(of: queue) == 7)
            },
            BrokerContract("answers a ping") { broker in try await broker.ping() },
            BrokerContract("close while busy ends every call") { broker in
                let queue = try await fresh(broker)
                let got = BrokerDeliveries()
                _ = try await broker.consume(queue, prefetch: 10) { got.take($0) }
                try await broker.publish(messages(queue, 50))
                try await got.wait(for: 10)
                async let late: Void = publishUntilClosed(broker, queue)
                await broker.close()
                await late
                await #expect(throws: BrokerError.self) { try await broker.publish(messages(queue, 1)) }
                await #expect(throws: BrokerError.self) { try await broker.ping() }
                #expect(!broker.post(messages(queue, 1)))
                await broker.close()
            },
        ]

    init(_ name: String, _ run: @escaping @Sendable (any Broker) async throws -> Void) {
        testDescription = name
        self.run = run
    }

    static func name() -> String { "malla-test-\(MeshID())" }

    static func fresh(_ broker: any Broker) async throws -> String {
        let queue = name()
        try await broker.declare(queue)
        return queue
    }

    static func messages(_ queue: String, _ count: Int, from first: Int = 0) -> [Message] {
        (first..<first + count).map { Message(queue: queue, body: Array("\($0)".utf8)) }
    }

    static func texts(_ range: Range<Int>) -> [String] { range.map { "\($0)" } }

    private static func publishUntilClosed(_ broker: any Broker, _ queue: String) async {
        do {
            while true { try await broker.publish(messages(queue, 5)) }
        } catch {
            // It ends with the broker: that is what the check waits for.
        }
    }
}
