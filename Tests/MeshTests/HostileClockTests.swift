// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import NIOCore
import Testing

@testable import Malla

/// Whose time a connection's clock counts, without waiting for it.
@Suite struct HostileClockTests {
    private let start = NIODeadline.now()
    private var clock: ClientClock

    init() { clock = ClientClock(limits: ClientLimits(), now: start) }

    private func verdict(_ clock: inout ClientClock, after seconds: Int64, crowded: Bool = false) -> ClientClock.Verdict
    {
        clock.verdict(at: start + .seconds(seconds), buffered: 0, isCrowded: crowded)
    }

    @Test func silenceIsIdlenessAndNoRequest() {
        var clock = clock
        #expect(verdict(&clock, after: 600) == .patient)
        #expect(verdict(&clock, after: 6, crowded: true) == .idleTooLong)
        #expect(verdict(&clock, after: 651) == .idleTooLong)
    }

    @Test func aHeadHasItsTime() {
        var clock = clock
        clock.received(at: start + .seconds(10))
        #expect(verdict(&clock, after: 39) == .patient)
        #expect(verdict(&clock, after: 41) == .requestTimedOut && clock.canBeTold)
    }

    @Test func theAnswerToARefusedHeadCountsForNoRequest() {
        var clock = clock
        clock.received(at: start)
        clock.head()
        clock.endOfRequest()
        clock.endOfAnswer(at: start)
        // The 400, to a head that was not counted.
        clock.startOfAnswer()
        clock.endOfAnswer(at: start)
        #expect(clock.openRequests == 0)
        #expect(verdict(&clock, after: 651) == .idleTooLong)
        clock.received(at: start + .seconds(10))
        #expect(verdict(&clock, after: 41) == .requestTimedOut)
    }

    @Test func theRestOfAnAnsweredRequestIsNoNewOne() {
        var clock = clock
        clock.received(at: start)
        clock.head()
        clock.startOfAnswer()
        clock.endOfAnswer(at: start)
        clock.wantsBytes(at: start)
        clock.received(at: start + .seconds(1))
        clock.body(10)
        clock.endOfRequest()
        #expect(verdict(&clock, after: 40) == .patient)
        // The next one has its own time again.
        clock.received(at: start + .seconds(50))
        #expect(verdict(&clock, after: 81) == .requestTimedOut && clock.canBeTold)
    }

    @Test func whoHasItsAnswerIsNotToldAgain() {
        var clock = clock
        clock.received(at: start)
        clock.head()
        #expect(clock.canBeTold)
        clock.startOfAnswer()
        #expect(!clock.canBeTold)
        clock.endOfAnswer(at: start)
        #expect(!clock.canBeTold)
        clock.wantsBytes(at: start)
        #expect(verdict(&clock, after: 31) == .requestTimedOut)
    }
}
