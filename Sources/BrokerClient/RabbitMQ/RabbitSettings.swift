// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Where a RabbitMQ broker is and how to talk to it.
public struct RabbitSettings: Sendable, Hashable {
    /// The type of the queues that are declared.
    public enum QueueType: String, Sendable, CaseIterable {
        /// For a single node: the lowest latency.
        case classic
        /// Replicated, for a cluster; without an effective delivery limit.
        case quorum
    }

    /// How a connection is encrypted.
    public struct TLS: Sendable, Hashable {
        /// The certificates of the CAs to trust, in PEM; nil for the system's.
        public var caFile: String?
        /// Whether the server's certificate and name are checked.
        public var verify: Bool

        /// Makes TLS settings.
        public init(caFile: String? = nil, verify: Bool = true) {
            self.caFile = caFile
            self.verify = verify
        }
    }

    /// The server's name or address.
    public var host: String
    /// The server's port; 5672, with TLS 5671.
    public var port: Int
    /// The virtual host.
    public var vhost: String
    /// The user.
    public var user: String
    /// The password; never logged.
    public var password: String
    /// How the connection is encrypted; nil for not at all.
    public var tls: TLS?
    /// The type of the queues that are declared.
    public var queueType: QueueType
    /// How often an idle connection is heard of; two missed ones end it.
    ///
    /// Whole seconds, at least one.
    public var heartbeat: Duration
    /// How long a publish or another call may take before it fails with `timeout` or `unavailable`.
    public var publishDeadline: Duration
    /// How many messages may wait for their confirms before a publish fails with `overflow`.
    public var maxWaiting: Int

    /// Makes settings.
    public init(
        host: String = "localhost",
        port: Int? = nil,
        vhost: String = "/",
        user: String = "guest",
        password: String = "guest",
        tls: TLS? = nil,
        queueType: QueueType = .classic,
        heartbeat: Duration = .seconds(10),
        publishDeadline: Duration = .seconds(10),
        maxWaiting: Int = 100_000
    ) {
        self.host = host
        self.port = port ?? (tls == nil ? 5672 : 5671)
        self.vhost = vhost
        self.user = user
        self.password = password
        self.tls = tls
        self.queueType = queueType
        self.heartbeat = heartbeat
        self.publishDeadline = publishDeadline
        self.maxWaiting = maxWaiting
    }

    /// The server's address without credentials, for logs and errors.
    public var address: String { "\(tls == nil ? "amqp" : "amqps")://\(host):\(port)" }
}
