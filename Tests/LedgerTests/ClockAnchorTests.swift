// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Testing

/// What is known of the ledger's clock between two answers.
@Suite struct ClockAnchorTests {
    private let told = Timestamp(microseconds: 1_790_000_000_000_000)

    @Test func aSlowAnswerDoesNotReplaceAQuickOne() throws {
        var anchor = ClockAnchor()
        #expect(anchor.now() == nil)
        anchor.learn(told, askedAt: .now)
        anchor.learn(told + .seconds(50), askedAt: .now - .milliseconds(100))
        #expect(try #require(anchor.now()) < told + .seconds(25))
        // As quick as the first, or nearly: the ledger's clock may have been set.
        anchor.learn(told + .seconds(50), askedAt: .now)
        #expect(try #require(anchor.now()) >= told + .seconds(50))
    }

    @Test func aSlowAnswerIsTakenForItsMiddleAndAQuickerOneReplacesIt() throws {
        var anchor = ClockAnchor()
        anchor.learn(told, askedAt: .now - .seconds(20))
        #expect(try #require(anchor.now()) >= told + .seconds(10))
        #expect(anchor.now(askedWithin: .seconds(9)) == nil)
        anchor.learn(told, askedAt: .now - .milliseconds(100))
        #expect(try #require(anchor.now()) < told + .seconds(5))
    }
}
