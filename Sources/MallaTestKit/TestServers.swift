// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The addresses of the real servers that tests use, from the `MALLA_TEST_*` variables.
///
/// `scripts/servers.sh start DIR` starts private servers and writes `DIR/env`; `scripts/servers.sh run -- CMD` wraps a
/// command in them. A server is nil when its variable is missing: see ``Testing/Trait/needs(_:)``.
public enum TestServers {
    /// Where an S3 server is and how to sign for it.
    public struct S3: Sendable, Hashable {
        /// The address of the server, for example `http://127.0.0.1:9000`.
        public var endpoint: String
        /// The region of the signatures.
        public var region: String
        /// The access key.
        public var accessKey: String
        /// The secret key.
        public var secretKey: String
        /// A bucket that exists.
        public var bucket: String
    }

    /// RabbitMQ: `amqp://…` (`MALLA_TEST_AMQP_URL`).
    public static var amqp: String? { variable("MALLA_TEST_AMQP_URL") }
    /// RabbitMQ over TLS: `amqps://…` (`MALLA_TEST_AMQPS_URL`).
    public static var amqps: String? { variable("MALLA_TEST_AMQPS_URL") }
    /// Redis: `redis://…` (`MALLA_TEST_REDIS_URL`).
    public static var redis: String? { variable("MALLA_TEST_REDIS_URL") }
    /// PostgreSQL: `postgresql://…` (`MALLA_TEST_POSTGRES_URL`).
    public static var postgres: String? { variable("MALLA_TEST_POSTGRES_URL") }
    /// PostgreSQL over TLS (`MALLA_TEST_POSTGRES_TLS_URL`).
    public static var postgresTLS: String? { variable("MALLA_TEST_POSTGRES_TLS_URL") }
    /// The certificate of the CA that signed the servers' certificates (`MALLA_TEST_CA_FILE`).
    public static var caFile: String? { variable("MALLA_TEST_CA_FILE") }
    /// The folder of the private servers, for tests that stop and start them (`MALLA_TEST_SERVERS`).
    public static var folder: String? { variable("MALLA_TEST_SERVERS") }

    /// S3 (`MALLA_TEST_S3_ENDPOINT`, `_REGION`, `_ACCESS_KEY`, `_SECRET_KEY`, `_BUCKET`).
    public static var s3: S3? {
        guard let endpoint = variable("MALLA_TEST_S3_ENDPOINT"),
            let accessKey = variable("MALLA_TEST_S3_ACCESS_KEY"),
            let secretKey = variable("MALLA_TEST_S3_SECRET_KEY"),
            let bucket = variable("MALLA_TEST_S3_BUCKET")
        else { return nil }
        return S3(
            endpoint: endpoint,
            region: variable("MALLA_TEST_S3_REGION") ?? "us-east-1",
            accessKey: accessKey,
            secretKey: secretKey,
            bucket: bucket
        )
    }

    /// Whether this is a build server, where a missing server is a failure and not a reason to skip.
    public static var isCI: Bool { variable("CI") != nil }

    /// The process id of a private server, also after it was started again; nil when it is down or not private.
    ///
    /// - Parameter name: `rabbit`, `redis`, `postgres` or `s3`.
    public static func processID(of name: String) -> Int32? {
        guard let folder, let file = fopen("\(folder)/pids/\(name)", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, CInt(line.count), file) != nil else { return nil }
        return Int32(strtol(line, nil, 10))
    }

    static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
}
