// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import ServiceWorker

/// How often a worker asks between its beats.
struct EarlyLooksTests {
    private let start = ContinuousClock.now

    /// A look at 1,000 leases that begins so many milliseconds after the start.
    private func pause(_ looks: inout EarlyLooks, at begun: Int, takes time: Int = 10, settled: Int) -> Duration? {
        let begun = start + .milliseconds(begun)
        return looks.pause(asked: 1000, settled: settled, from: begun, to: begun + .milliseconds(time))
    }

    @Test func theNextOneIsWhenAsManyMoreAreSettled() {
        var looks = EarlyLooks()
        #expect(pause(&looks, at: 0, settled: 700) == .milliseconds(50), "nothing is known of the rate yet")
        // 250 in 60 ms are 1,000 in 240, of which the look took ten.
        #expect(pause(&looks, at: 60, settled: 250) == .milliseconds(230))
        #expect(pause(&looks, at: 300, settled: 1000) == .milliseconds(110), "more than those may be settled")
        #expect(pause(&looks, at: 420, settled: 10) == .milliseconds(500))
    }

    @Test(arguments: [0, 1, 1000]) func aSlowLedgerIsAskedRarely(settled: Int) {
        var looks = EarlyLooks()
        #expect(pause(&looks, at: 0, takes: 1000, settled: settled) == .seconds(4))
        #expect(pause(&looks, at: 5000, takes: 1000, settled: settled) == .seconds(4))
    }

    @Test func theyEndWhenNobodySettles() {
        var looks = EarlyLooks()
        let pauses = (0..<5).map { pause(&looks, at: $0 * 1000, settled: 0) }
        #expect(pauses == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800), nil])
        #expect(pause(&looks, at: 5000, settled: 1) != nil)
        #expect(pause(&looks, at: 6000, settled: 0) == .milliseconds(100), "somebody settles")
    }
}
