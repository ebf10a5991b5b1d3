// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import Plumbing

struct CostPaceTests {
    @Test func whatTakesLongIsDoneLessOften() {
        let start = ContinuousClock.now
        var pace = CostPace(share: 0.1, longest: .seconds(5))
        #expect(pace.isDue(at: start))
        pace.note(from: start, to: start + .milliseconds(1))
        #expect(!pace.isDue(at: start + .milliseconds(9)) && pace.isDue(at: start + .milliseconds(10)))
        pace.note(from: start, to: start + .milliseconds(300))
        #expect(!pace.isDue(at: start + .milliseconds(2999)) && pace.isDue(at: start + .milliseconds(3000)))
        pace.note(from: start, to: start + .seconds(2))
        #expect(!pace.isDue(at: start + .milliseconds(4999)) && pace.isDue(at: start + .seconds(5)))
    }
}
