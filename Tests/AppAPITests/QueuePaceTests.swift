// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

@testable import AppAPI

/// Which new tasks are refused while more waits than can be done, by a clock of the test's own.
@Suite struct QueuePaceTests {
    private static let start = ContinuousClock.now

    /// A queue that `rate` jobs a second leave, read once a second.
    ///
    /// Four seconds of them wait (or `before`), then `waiting`. All jobs are tasks of ann's.
    private static func pace(
        rate: Int,
        waiting: Int,
        before: Int? = nil,
        running: Int = 0,
        patience: Duration = .seconds(5)
    ) -> QueuePace {
        var pace = QueuePace(patience: patience)
        let before = before ?? min(waiting, 4 * rate)
        for second in 0..<5 {
            let created = second < 4 ? rate : rate + waiting - before
            for _ in 0..<max(0, created) { _ = ask(&pace, "ann", at: Double(second)) }
            pace.learn(
                "s",
                waiting: second < 4 ? before : waiting,
                running: running,
                created: max(0, created),
                at: start + .seconds(second)
            )
            _ = pace.judge(["w": ["s"]], at: start + .seconds(second))
        }
        return pace
    }

    private static func ask(_ pace: inout QueuePace, _ user: String, at: Double = 4) -> QueuePace.Decision {
        pace.decide(workflow: "w", services: ["s"], user: user, at: start + .seconds(at))
    }

    private static func taken(_ pace: inout QueuePace, _ users: [String], _ calls: Int, at: Double = 4) -> [String: Int]
    {
        var taken: [String: Int] = [:]
        for _ in 0..<calls {
            for user in users where ask(&pace, user, at: at) == .taken { taken[user, default: 0] += 1 }
        }
        return taken
    }

    @Test(arguments: [(700, 3000, 2800), (700, 900, 600), (10, 9_000, 300), (0, 9_000, 300), (150, 999, 600)])
    func queuesThatAreShortOrSlowTakeAll(rate: Int, waiting: Int, before: Int) {
        var pace = Self.pace(rate: rate, waiting: waiting, before: before)
        #expect(Self.taken(&pace, ["ann"], 5000) == ["ann": 5000])
    }

    @Test func jobsThatRunAreNoQueue() {
        var pace = Self.pace(rate: 500, waiting: 900, running: 20_000)
        #expect(Self.taken(&pace, ["ann"], 5000) == ["ann": 5000])
    }

    @Test func aLongQueueThatGetsShorterTakesAll() {
        var pace = Self.pace(rate: 500, waiting: 5000, before: 5100)
        #expect(Self.taken(&pace, ["ann"], 5000) == ["ann": 5000])
    }

    @Test func aQueueOfMoreThanItsPatienceIsRefusedWithTheTimeItTakes() {
        var pace = Self.pace(rate: 500, waiting: 5000)
        #expect(pace.rationed == ["w"] && pace.wait(of: ["s"]) == .seconds(10))
        // Something is taken at once; the rest is told when to come.
        var refusal: QueuePace.Refusal?
        for _ in 0..<1000 {
            if case .refused(let found) = Self.ask(&pace, "ann") { refusal = found }
        }
        #expect(refusal?.wait == .seconds(10))
        // 10 s wait, down to 2.5 s at half the rate, for the other half is taken meanwhile.
        #expect(refusal?.retryAfter == .seconds(15))
    }

    @Test func theTimeToComeBackIsTheOneInWhichARationEnds() {
        // At 100 jobs a second a ration ends at 500 jobs, not at 2.5 s of them.
        var pace = Self.pace(rate: 100, waiting: 2000)
        var refusal: QueuePace.Refusal?
        for _ in 0..<1000 {
            if case .refused(let found) = Self.ask(&pace, "ann") { refusal = found }
        }
        #expect(refusal?.retryAfter == .seconds(30))
        for (second, waiting) in [(14, 1000), (18, 600)] {
            pace.learn("s", waiting: waiting, running: 0, created: 0, at: Self.start + .seconds(second))
            #expect(pace.judge(["w": ["s"]], at: Self.start + .seconds(second)).isEmpty && pace.isRationed("w"))
        }
        pace.learn("s", waiting: 500, running: 0, created: 0, at: Self.start + .seconds(19))
        #expect(pace.judge(["w": ["s"]], at: Self.start + .seconds(19)) == ["w": .ended])
        #expect(Self.taken(&pace, ["ann"], 1000, at: 20) == ["ann": 1000])
    }

    @Test func aWholeQueueIsJudgedByAllServicesOfItsWorkflow() {
        var pace = QueuePace(patience: .seconds(5))
        for second in 0..<4 {
            for service in ["a", "b"] {
                pace.learn(
                    service,
                    waiting: 500 + second * 50,
                    running: 0,
                    created: 150,
                    at: Self.start + .seconds(second)
                )
            }
            for workflow in ["both", "one"] {
                _ = pace.decide(workflow: workflow, services: [], user: "ann", at: Self.start + .seconds(second))
            }
            _ = pace.judge(["both": ["a", "b"], "one": ["b"]], at: Self.start + .seconds(second))
        }
        #expect(pace.wait(of: ["a", "b"]) == .seconds(13) && pace.rationed == ["both"])
    }

    @Test func whatIsTakenIsSharedEquallyAndAShareIsLeftForANewcomer() {
        var pace = Self.pace(rate: 500, waiting: 5000)
        let alone = Self.taken(&pace, ["ann"], 5000, at: 5)["ann"] ?? 0
        #expect(alone == 125, "half of 250, for one share is left: \(alone)")
        #expect(Self.taken(&pace, ["bob"], 50, at: 5.5) == ["bob": 50], "all that a newcomer asks for")
        // The next second knows that one was refused, and what the other wants.
        let both = Self.taken(&pace, ["ann", "bob"], 5000, at: 6.1)
        #expect(both["ann"] == both["bob"] && both["ann"] == 100, "\(both), as bob took 50 of 250 before")
        #expect(Self.ask(&pace, "new", at: 6.9) == .taken)
    }

    @Test func whatOthersLeaveIsForThoseWhoWantMore() {
        var pace = Self.pace(rate: 500, waiting: 5000)
        var taken = 0
        for second in 5..<9 {
            let moment = Double(second) + 0.1 * Double(second - 5)
            for number in 0..<9 { #expect(Self.ask(&pace, "polite-\(number)", at: moment) == .taken) }
            taken = Self.taken(&pace, ["ann"], 1000, at: moment)["ann"] ?? 0
        }
        #expect(taken == 120, "half of what nine others leave of 250")
    }

    @Test func whereThereIsLessThanOneForEachNobodyGetsAll() {
        var ration = TaskRation(pace: 0.5, at: Self.start)
        var taken: [String: Int] = [:]
        for tick in 0..<6000 {
            let now = Self.start + .milliseconds(tick * 20)
            if ration.takes("ann", at: now) { taken["ann", default: 0] += 1 }
            // Every 7.1 s, far less often than the flood.
            if tick % 355 == 300, ration.takes("bob", at: now) { taken["bob", default: 0] += 1 }
        }
        #expect(taken["bob", default: 0] >= 5 && taken["ann", default: 0] >= 30, "\(taken) in 120 s")
    }

    @Test func aGapInTheReadsTellsNothing() {
        // The ledger was away for a minute: the same waits as before.
        var pace = Self.pace(rate: 500, waiting: 2000)
        pace.learn("s", waiting: 2000, running: 0, created: 0, at: Self.start + .seconds(64))
        #expect(pace.wait(of: ["s"]) == .seconds(4))
    }

    @Test func aFloodOfManyUsersIsHeldToThePace() {
        var pace = Self.pace(rate: 500, waiting: 5000)
        let users = (0..<2000).map { "u\($0)" }
        let first = Self.taken(&pace, users, 2, at: 5).values.reduce(0, +)
        #expect(first == 250)
        #expect(Self.taken(&pace, users, 2, at: 6.1).values.reduce(0, +) == first)
    }

    @Test func aQueueThatStandsStillIsJudgedByWhatItDidBefore() {
        // All workers restart: for a while nothing leaves.
        var pace = Self.pace(rate: 500, waiting: 2000)
        for second in 5..<15 {
            _ = Self.ask(&pace, "ann", at: Double(second))
            pace.learn("s", waiting: 2000, running: 0, created: 0, at: Self.start + .seconds(second))
            #expect(pace.judge(["w": ["s"]], at: Self.start + .seconds(second)).isEmpty)
        }
        #expect(!pace.isRationed("w"))
        let wait = pace.wait(of: ["s"])
        #expect(wait.map { (.seconds(4.2) ..< .seconds(6)).contains($0) } == true, "\(String(describing: wait))")
    }

    @Test func aFloodOfRepeatsGetsFewLookUps() {
        var pace = Self.pace(rate: 500, waiting: 5000)
        var lookUps = 0
        for _ in 0..<5000 {
            if case .refused(let refusal) = Self.ask(&pace, "ann", at: 6), refusal.mayLookUp { lookUps += 1 }
        }
        #expect(lookUps == 20)
    }

    @Test func withoutPatienceNothingIsRefused() {
        var pace = Self.pace(rate: 500, waiting: 100_000, patience: .zero)
        #expect(Self.taken(&pace, ["ann"], 5000) == ["ann": 5000])
    }
}
