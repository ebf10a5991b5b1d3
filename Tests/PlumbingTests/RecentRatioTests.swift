// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import Plumbing

struct RecentRatioTests {
    @Test func whatWasSeenLatelyCounts() {
        var ratio = RecentRatio()
        #expect(ratio.parts(in: 7) == 7, "nothing was seen")
        ratio.add(messages: 0, parts: 0)
        #expect(ratio.parts(in: 7) == 7)
        ratio.add(messages: 2, parts: 9)
        #expect(ratio.parts(in: 10) == 45 && ratio.parts(in: 0) == 0)
        for _ in 0..<100 { ratio.add(messages: 100, parts: 100) }
        #expect(ratio.parts(in: 100) == 100, "what was long ago is forgotten")
    }
}
