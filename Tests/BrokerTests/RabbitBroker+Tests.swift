// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerRabbitMQ
import Logging
import MallaTestKit
import Testing

extension RabbitBroker {
    /// A client of the tests' server.
    static func forTests(
        url: String? = TestServers.amqp,
        _ change: (inout RabbitSettings) -> Void = { _ in }
    ) throws
        -> RabbitBroker
    {
        var settings = try RabbitSettings(url: try #require(url))
        change(&settings)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return RabbitBroker(settings: settings, logger: logger)
    }
}
