// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where Redis is.
///
/// hiredis 0.14 has no TLS: use a private network or a local TLS proxy.
public struct RedisSettings: Sendable {
    /// The host.
    public var host: String
    /// The port.
    public var port: Int
    /// The ACL user, or nil.
    public var user: String?
    /// The password, or nil.
    public var password: String?
    /// The database's number.
    public var database: Int
    /// How long connecting, and one batch of commands, may take.
    public var timeout: Duration = .seconds(2)

    /// Makes settings.
    public init(host: String, port: Int = 6379, user: String? = nil, password: String? = nil, database: Int = 0) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database
    }

    /// Reads `redis://[user:password@]host[:port][/database]`; nil when it is not one.
    public init?(url: String) {
        guard let parts = URLComponents(string: url), parts.scheme == "redis", let host = parts.host, !host.isEmpty
        else {
            return nil
        }
        let path = parts.path.drop { $0 == "/" }
        guard let database = path.isEmpty ? 0 : Int(path) else { return nil }
        let user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        self.init(host: host, port: parts.port ?? 6379, user: user, password: parts.password, database: database)
    }
}
