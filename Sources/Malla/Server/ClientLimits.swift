// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How long a client may keep a server waiting, and how many clients it serves at once.
struct ClientLimits: Sendable {
    /// How long a request's head may take, a body or the reading of an answer may stand still.
    var patience: Duration = .seconds(30)
    /// How long a connection stays open between two requests: longer than load balancers and clients keep theirs
    /// (Go 90 s, Google's load balancers 600 s), so that they close first and no request meets a closing connection.
    var idle: Duration = .seconds(650)
    /// How many connections are served at once; one more is answered 503 and closed.
    var connections = ClientLimits.defaultConnections

    /// Bodies and answers that move slower than this, in bytes a second, stand still.
    static let leastRate = 1024
    /// How long a connection may idle while the places run out.
    static let crowdedIdle: Duration = .seconds(5)

    /// Places beside the others for clients of this machine, so that its probes get an answer when all are taken.
    static let localPlaces = 4
    /// How many refused connections may linger at once, so that their clients read why.
    static let lingeringRefusals = 64
    /// How many bytes of a request that has been answered are read before its connection ends.
    static let mostDrained = 16 << 20
    /// How many bytes of an answer wait in the system for a slow network; with more, bytes would be taken from here in
    /// bursts of minutes, and whether a client reads could not be seen.
    static let mostUnsent: CInt = 32 << 10

    /// Half of the descriptors that this process may open, the other half is for servers, files and handlers.
    static var defaultConnections: Int { max(64, min(10_000, raisedDescriptors() / 2)) }

    /// How many descriptors this process may open, once the soft limit is as high as it may be and is of use.
    private static func raisedDescriptors() -> Int {
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        var raised = limit
        // Programs that handlers start may walk through all numbers below the limit: not without a bound.
        raised.rlim_cur = min(limit.rlim_max, 65_536)
        if raised.rlim_cur > limit.rlim_cur, setrlimit(resource, &raised) == 0 { limit = raised }
        return Int(clamping: limit.rlim_cur)
    }
}
