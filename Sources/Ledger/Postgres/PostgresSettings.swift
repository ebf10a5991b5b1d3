// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Where the PostgreSQL server is and how it is used.
public struct PostgresSettings: Sendable {
    /// A libpq connection string or URL; `sslmode` and the like travel in it.
    ///
    /// May hold a password: never logged.
    public var url: String
    /// How many connections serve durable transactions and reads.
    public var poolSize: Int
    /// How many connections serve claims and beats, whose commits do not wait for the disk.
    public var quickPoolSize: Int
    /// How long a statement may take by the server's own clock.
    public var statementTimeout: Duration
    /// How long a call waits for a free connection.
    public var leaseTimeout: Duration

    /// Makes settings.
    public init(
        url: String,
        poolSize: Int = 4,
        quickPoolSize: Int = 2,
        statementTimeout: Duration = .seconds(30),
        leaseTimeout: Duration = .seconds(30)
    ) {
        self.url = url
        self.poolSize = max(1, poolSize)
        self.quickPoolSize = max(1, quickPoolSize)
        self.statementTimeout = statementTimeout
        self.leaseTimeout = leaseTimeout
    }
}

extension PostgresSettings: CustomStringConvertible, CustomDebugStringConvertible {
    /// Everything but the URL, which may hold a password.
    public var description: String { "PostgreSQL, \(poolSize) + \(quickPoolSize) connections" }

    /// The same as `description`.
    public var debugDescription: String { description }
}
