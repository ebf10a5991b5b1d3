// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

struct LateClosureTests {
    @Test func answersWithWhatWasNamedLast() {
        let closure = LateClosure { 1 }
        #expect(closure() == 1)
        closure.name { 2 }
        #expect(closure() == 2)
    }

    @Test(.timeLimit(.minutes(1))) func theMillionthCallCostsWhatTheFirstDid() {
        let closure = LateClosure { true }
        var answers = 0
        for _ in 0..<1_000_000 where closure() { answers += 1 }
        #expect(answers == 1_000_000)
    }
}
