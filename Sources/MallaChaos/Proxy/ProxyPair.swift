// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import NIOCore

/// A connection through a proxy: its user's end and the server's.
final class ProxyPair {
    let client = ProxyEnd()
    let server = ProxyEnd()
    private let line: ProxyLine
    private var isReset = false

    init(line: ProxyLine) {
        self.line = line
        client.pair = self
        server.pair = self
    }

    var mode: LinkMode { line.mode }

    /// An end's channel is up; the server's is awaited by who connects it.
    func isUp(_ end: ProxyEnd) { if end === client { line.opened(self) } }

    /// The way to the server is up.
    func connected() {
        // Its user may have gone, or the link been cut, meanwhile.
        guard !isReset, client.isOpen else { return reset() }
        client.read()
        server.read()
    }

    /// The other end of one.
    func partner(of end: ProxyEnd) -> ProxyEnd { end === client ? server : client }

    func lateness(of bytes: Int) -> TimeAmount { line.lateness(of: bytes) }

    /// An end is closed, by its peer or by us.
    func closed(_ end: ProxyEnd, isBroken: Bool) {
        let other = partner(of: end)
        guard other.isOpen else { return line.closed(self) }
        // On a half-open link nobody hears of it.
        guard isReset || mode != .halfOpen else { return }
        if isBroken { other.reset() } else { other.close() }
    }

    /// Resets both ends.
    func reset() {
        isReset = true
        client.reset()
        server.reset()
        if !client.isOpen, !server.isOpen { line.closed(self) }
    }
}
