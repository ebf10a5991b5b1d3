// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How a ``CurlTransfer`` connects.
public struct TransferSettings: Sendable {
    /// Which addresses it may connect to.
    public var policy: NetworkPolicy
    /// The most connections to one host at a time, 0 for no limit; more requests wait for one of them.
    public var connectionsPerHost: Int
    /// The most idle connections that are kept for later requests.
    public var idleConnections: Int
    /// How long a connection may take to come up; a shorter timeout of the request wins.
    public var connectTimeout: Duration
    /// The file with the certificates of trusted authorities, in PEM; nil for the system's.
    public var certificateAuthorityFile: String?
    /// Stands in for the look-up of names, for tests: the addresses of a name at this moment.
    var lookUp: (@Sendable (_ host: String) -> [String])?

    /// Makes settings.
    public init(
        policy: NetworkPolicy = .anywhere,
        connectionsPerHost: Int = 64,
        idleConnections: Int = 128,
        connectTimeout: Duration = .seconds(10),
        certificateAuthorityFile: String? = nil
    ) {
        self.policy = policy
        self.connectionsPerHost = connectionsPerHost
        self.idleConnections = idleConnections
        self.connectTimeout = connectTimeout
        self.certificateAuthorityFile = certificateAuthorityFile
    }
}
