// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerRabbitMQ
import Testing

struct RabbitSettingsTests {
    @Test func readsEverything() throws {
        let settings = try RabbitSettings(url: "amqp://me%40here:p%3Aw%2F@broker.example:5673/my%2Fhost?heartbeat=3")
        #expect(settings.user == "me@here")
        #expect(settings.password == "p:w/")
        #expect(settings.host == "broker.example")
        #expect(settings.port == 5673)
        #expect(settings.vhost == "my/host")
        #expect(settings.heartbeat == .seconds(3))
        #expect(settings.tls == nil)
        #expect(settings.address == "amqp://broker.example:5673")
    }

    @Test func hasRabbitMQDefaults() throws {
        let plain = try RabbitSettings(url: "amqp://")
        #expect(plain == RabbitSettings())
        let secure = try RabbitSettings(url: "amqps://[::1]/%2F?cacertfile=/ca.pem&verify=verify_none")
        #expect(secure.host == "::1")
        #expect(secure.port == 5671)
        #expect(secure.vhost == "/")
        #expect(secure.tls == RabbitSettings.TLS(caFile: "/ca.pem", verify: false))
    }

    @Test(arguments: [
        "http://host", "amqp://host:0", "amqp://host:x", "amqp://host:70000", "amqp://a%zz@host", "amqp://host/%2",
        "amqp://host?heartbeat=0", "amqp://host?colour=red",
    ])
    func refuses(_ url: String) {
        let error = #expect(throws: BrokerError.self) { try RabbitSettings(url: url) }
        #expect(error?.code == .misuse)
    }

    @Test func aBadURLDoesNotShowThePassword() {
        let error = #expect(throws: BrokerError.self) { try RabbitSettings(url: "amqp://u:secret%zz@host:99999") }
        #expect(error?.description.contains("secret") == false)
    }
}
