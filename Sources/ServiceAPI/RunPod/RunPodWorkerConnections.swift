// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The connections of one worker's own process, and whether it has gone: pure, moments come from outside.
///
/// Pings come from another process, which outlives a killed worker, so they are not among these. An idle connection
/// that the other side closes says little: aiohttp closes one after 15 s, and a proxy right after the answer.
struct RunPodWorkerConnections: Sendable {
    typealias Moment = ContinuousClock.Instant

    private struct Entry {
        var calls = 0
        var idleSince: Moment
    }

    /// Up to then after its last answer, a close is a proxy's that keeps no connections.
    static let proxyClose: Duration = .seconds(1)
    /// From then on after its last answer, a close is the client's that has no more use for a spare connection.
    static let spareClose: Duration = .seconds(14)

    private var entries: [ObjectIdentifier: Entry] = [:]
    /// Whether the process holds a call for stops open as long as it lives, as packages since 1.10 do.
    private var asksForStops = false
    private var hasBroken = false
    /// When the last connection was closed by the other side, one of them in a way that a living process has no reason
    /// for; nil while there are connections, and when all ends were harmless.
    private(set) var goneSince: Moment?

    /// Whether there are none.
    var isEmpty: Bool { entries.isEmpty }

    /// Whether a connection is there still.
    func contains(_ connection: ObjectIdentifier) -> Bool { entries[connection] != nil }

    /// A call begins on a connection.
    mutating func begin(_ connection: ObjectIdentifier, isForStops: Bool, at now: Moment) {
        entries[connection, default: Entry(idleSince: now)].calls += 1
        if isForStops { asksForStops = true }
        hasBroken = false
        goneSince = nil
    }

    /// A call was answered.
    mutating func end(_ connection: ObjectIdentifier, at now: Moment) {
        entries[connection]?.calls -= 1
        entries[connection]?.idleSince = now
    }

    /// A connection is another worker's now: a proxy's, hence no sign of anything.
    mutating func forget(_ connection: ObjectIdentifier) { entries[connection] = nil }

    /// A connection has ended.
    mutating func ended(_ connection: ObjectIdentifier, byPeer: Bool, at now: Moment) {
        guard let entry = entries.removeValue(forKey: connection) else { return }
        let idle = now - entry.idleSince
        let isHarmless = entry.calls == 0 && (asksForStops ? idle < Self.proxyClose : idle > Self.spareClose)
        if byPeer, !isHarmless { hasBroken = true }
        if entries.isEmpty, hasBroken { goneSince = now }
    }
}
