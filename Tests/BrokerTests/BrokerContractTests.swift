// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import BrokerRabbitMQ
import Logging
import MallaTestKit
import Testing

/// Everything that uses the RabbitMQ server, one test after the other: some of them stop it.
@Suite(.serialized, .timeLimit(.minutes(3)))
enum RabbitMQTests {}

@Suite(.timeLimit(.minutes(1)))
struct InProcessBrokerTests {
    @Test(arguments: BrokerContract.all)
    func honoursTheContract(_ check: BrokerContract) async throws {
        let broker = InProcessBroker()
        try await check.run(broker)
        await broker.close()
    }
}

extension RabbitMQTests {
    @Suite struct Contract {
        @Test(.needs(.amqp), arguments: BrokerContract.all)
        func classicQueues(_ check: BrokerContract) async throws {
            let broker = try RabbitBroker.forTests()
            try await check.run(broker)
            await broker.close()
        }

        @Test(.needs(.amqp), arguments: BrokerContract.all)
        func quorumQueues(_ check: BrokerContract) async throws {
            let broker = try RabbitBroker.forTests { $0.queueType = .quorum }
            try await check.run(broker)
            await broker.close()
        }
    }
}
