// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import ServiceWorker

/// How often a worker asks between its beats.
struct EarlyLooksTests {
    private let start = ContinuousClock.now

    /// A look that begins so many milliseconds after the start and takes ten.
    private func pause(
        _ looks: inout EarlyLooks,
        at milliseconds: Int,
        settled: Int,
        kept: Int = 5000
    ) -> Duration? {
        let begun = start + .milliseconds(milliseconds)
        let ended = begun + .milliseconds(10)
        return looks.pause(asked: 1000, settled: settled, kept: kept, from: begun, to: ended)
    }

    @Test func theNextOneIsWhenAsManyMoreAreSettled() {
        var looks = EarlyLooks()
        #expect(pause(&looks, at: 0, settled: 700) == .milliseconds(50), "nothing is known of the rate yet")
        // 250 in 60 ms are 1,000 in 240, of which the look took ten.
        #expect(pause(&looks, at: 60, settled: 250) == .milliseconds(230))
        #expect(pause(&looks, at: 300, settled: 1000) == .milliseconds(230))
        #expect(pause(&looks, at: 540, settled: 10) == .milliseconds(250))
    }

    @Test func aLookThatTakesLongIsRare() {
        var looks = EarlyLooks()
        let ended = start + .milliseconds(60)
        #expect(looks.pause(asked: 1000, settled: 1000, kept: 1, from: start, to: ended) == .milliseconds(240))
    }

    @Test func theyEndWhenAllWereAskedAboutInVain() {
        var looks = EarlyLooks()
        for look in 0..<19 {
            #expect(pause(&looks, at: look * 60, settled: 0) == .milliseconds(50))
        }
        #expect(pause(&looks, at: 1140, settled: 0) == nil)
        var others = EarlyLooks()
        for look in 0..<19 { _ = pause(&others, at: look * 60, settled: 0) }
        #expect(pause(&others, at: 1140, settled: 1) != nil)
        #expect(pause(&others, at: 1200, settled: 0) == .milliseconds(50), "somebody settles")
    }
}
