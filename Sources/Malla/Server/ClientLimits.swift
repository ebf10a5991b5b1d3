// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Glibc

/// How long a client may keep a server waiting, and how many clients it serves at once.
struct ClientLimits: Sendable {
    /// How long a request's head may take, a body or the reading of an answer may stand still.
    var patience: Duration = .seconds(30)
    /// How long a connection stays open between two requests; above the 60 s of common load balancers.
    var idle: Duration = .seconds(75)
    /// How many connections are served at once; one more is answered 503 and closed.
    var connections = ClientLimits.defaultConnections

    /// Bodies and answers that move slower than this, in bytes a second, stand still.
    static let leastRate = 1024
    /// How long a connection may idle while the places run out.
    static let crowdedIdle: Duration = .seconds(5)

    /// Half of the descriptors that this process may open, the other half is for servers, files and handlers.
    static var defaultConnections: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 512 }
        return max(64, min(10_000, Int(clamping: limit.rlim_cur) / 2))
    }
}
