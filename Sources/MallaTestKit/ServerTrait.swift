// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Testing

/// A real server that a test needs.
public enum TestServer: String, Sendable, CaseIterable {
    /// RabbitMQ.
    case amqp
    /// RabbitMQ over TLS, with the CA's file.
    case amqps
    /// Redis.
    case redis
    /// PostgreSQL.
    case postgres
    /// S3.
    case s3
    /// Servers of the test's own (`scripts/servers.sh`), which it may stop and start.
    case privateServers

    /// Whether the server's address is known.
    public var isConfigured: Bool {
        switch self {
        case .amqp: TestServers.amqp != nil
        case .amqps: TestServers.amqps != nil && TestServers.caFile != nil
        case .redis: TestServers.redis != nil
        case .postgres: TestServers.postgres != nil
        case .s3: TestServers.s3 != nil
        case .privateServers: TestServers.folder != nil
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Runs a test only with a real server: without one it is skipped on a laptop and fails on a build server.
    ///
    /// With `CI` set the test runs anyway, so that its unwrapping of the address fails: a red build, never a silent
    /// skip.
    public static func needs(_ server: TestServer) -> Self {
        .enabled("no \(server.rawValue) server: run the tests with `scripts/servers.sh run -- swift test`") {
            TestServers.isCI || server.isConfigured
        }
    }
}
