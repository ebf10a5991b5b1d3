// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

@testable import AppAPI

/// Which new tasks are refused while more waits than can be done, by a clock of the test's own.
@Suite struct QueuePaceTests {
    private static let start = ContinuousClock.now

    /// A queue that `rate` jobs a second leave, read once a second, with so many open at the end.
    private static func pace(rate: Int, open: Int, patience: Duration = .seconds(5)) -> QueuePace {
        var pace = QueuePace(patience: patience)
        for second in 0..<5 {
            let marks = pace.marks()
            pace.learn("s", open: open, marks: marks, at: start + .seconds(second))
            if second < 4 { pace.add(rate, to: "s") }
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

    @Test(arguments: [(700, 3400), (700, 900), (10, 9_000), (0, 9_000), (150, 999)])
    func queuesThatAreShortOrSlowTakeAll(rate: Int, open: Int) {
        var pace = Self.pace(rate: rate, open: open)
        // Nothing is accepted meanwhile: what is taken is counted by its caller.
        #expect(Self.taken(&pace, ["ann"], 5000) == ["ann": 5000])
    }

    @Test func aQueueOfMoreThanItsPatienceIsRefusedWithTheTimeItTakes() {
        var pace = Self.pace(rate: 500, open: 5000)
        #expect(Self.taken(&pace, ["ann"], 5000) == ["ann": 250])
        guard case .refused(let refusal) = Self.ask(&pace, "ann") else {
            Issue.record("taken")
            return
        }
        #expect(refusal.wait == .seconds(10))
        // 10 s wait, down to 2.5 s at half the rate, for the other half is taken meanwhile.
        #expect(refusal.retryAfter == .seconds(15))
        #expect(pace.rationed == ["w"])
    }

    @Test func aWholeQueueIsJudgedByAllServicesOfItsWorkflow() {
        var pace = QueuePace(patience: .seconds(5))
        for second in 0..<4 {
            let marks = pace.marks()
            for service in ["a", "b"] {
                pace.learn(service, open: 300, marks: marks, at: Self.start + .seconds(second))
                pace.add(100, to: service)
            }
        }
        pace.add(600, to: "a")
        #expect(pace.wait(of: ["a", "b"])?.wait == .seconds(14))
        #expect(pace.wait(of: ["b"]) == nil)
    }

    @Test func whatIsTakenIsSharedEquallyAndSomeIsAlwaysForEverybody() {
        var pace = Self.pace(rate: 500, open: 5000)
        #expect(Self.taken(&pace, ["ann", "bob"], 1).count == 2)
        // The next second knows how many asked: the greedy one leaves the others their share.
        _ = Self.taken(&pace, ["ann"], 5000, at: 5.1)
        var taken = Self.taken(&pace, ["ann"], 10, at: 6.2)
        _ = Self.taken(&pace, ["bob"], 1, at: 6.3)
        taken = Self.taken(&pace, ["ann"], 5000, at: 7.4)
        #expect(taken == ["ann": 125])
        taken = Self.taken(&pace, ["bob"], 100, at: 7.5)
        #expect(taken == ["bob": 100])
        // A user who comes for the first time is served as well.
        #expect(Self.ask(&pace, "new", at: 7.6) == .taken)
    }

    @Test func aFloodOfManyUsersIsHeldToTheRate() {
        var pace = Self.pace(rate: 500, open: 5000)
        let users = (0..<2000).map { "u\($0)" }
        #expect(Self.taken(&pace, users, 2).values.reduce(0, +) == 250)
        #expect(Self.taken(&pace, users, 2, at: 5.1).values.reduce(0, +) == 250)
    }

    @Test func rationsEndWhenHalfIsDone() {
        var pace = Self.pace(rate: 500, open: 5000)
        _ = Self.ask(&pace, "ann")
        var open = 5000
        var ended: Int?
        for second in 5..<20 {
            open -= 500
            pace.learn("s", open: open, marks: pace.marks(), at: Self.start + .seconds(second))
            if pace.end(workflow: "w", services: ["s"]) { ended = ended ?? open }
        }
        #expect(ended == 1000 && pace.rationed.isEmpty)
        #expect(Self.taken(&pace, ["ann"], 1000, at: 20) == ["ann": 1000])
    }

    @Test func aQueueThatStandsStillIsJudgedByWhatItDidBefore() {
        // All workers restart: for a while nothing leaves.
        var pace = Self.pace(rate: 500, open: 2000)
        #expect(Self.ask(&pace, "ann") == .taken)
        for second in 5..<15 { pace.learn("s", open: 2600, marks: pace.marks(), at: Self.start + .seconds(second)) }
        let wait = pace.wait(of: ["s"])?.wait
        #expect(wait.map { (.seconds(5.2) ..< .seconds(7)).contains($0) } == true, "\(String(describing: wait))")
    }

    @Test func jobsCreatedWhileTheLedgerIsAskedAreCountedOnce() {
        var pace = Self.pace(rate: 500, open: 1000)
        let marks = pace.marks()
        pace.add(2000, to: "s")
        pace.learn("s", open: 1000, marks: marks, at: Self.start + .seconds(5))
        #expect(pace.wait(of: ["s"]).map { $0.wait > .seconds(6) } == true)
    }

    @Test func aFloodOfRepeatsGetsFewLookUps() {
        var pace = Self.pace(rate: 500, open: 5000)
        var lookUps = 0
        for _ in 0..<5000 {
            if case .refused(let refusal) = Self.ask(&pace, "ann"), refusal.mayLookUp { lookUps += 1 }
        }
        #expect(lookUps == 20)
    }

    @Test func withoutPatienceNothingIsRefused() {
        var pace = Self.pace(rate: 500, open: 100_000, patience: .zero)
        #expect(Self.taken(&pace, ["ann"], 5000) == ["ann": 5000])
    }

    /// Plays ten times what a mesh can do for half a minute, by a model of its three queues.
    @Test(arguments: [(apis: 1, users: 50), (apis: 1, users: 1000), (apis: 3, users: 50)])
    func tenTimesTheRateKeepsTheQueueShortAndTheMeshBusy(apis: Int, users: Int) {
        let capacity = 350.0
        var paces = Array(repeating: QueuePace(patience: .seconds(5)), count: apis)
        var open = [0, 0, 0]
        var (arrivals, budget, ended, most, calls, endedAtPeak) = (0.0, 0.0, 0, 0, 0, 0)
        for tick in 0..<5000 {
            let now = Self.start + .milliseconds(10 * tick)
            let isPeak = (500..<3500).contains(tick)
            // What a mesh does in 10 ms: jobs of three queues, the last one first.
            budget += capacity * 3 / 100
            for stage in [2, 1, 0] {
                let done = min(open[stage], Int(budget))
                budget -= Double(done)
                open[stage] -= done
                guard stage < 2 else {
                    ended += done
                    continue
                }
                open[stage + 1] += done
                for number in 0..<done { paces[number % apis].add(1, to: "s\(stage + 1)") }
            }
            budget = min(budget, 30)
            arrivals += isPeak ? capacity / 10 : capacity / 400
            while arrivals >= 1 {
                arrivals -= 1
                calls += 1
                let user = "u\(calls * 7919 % users)"
                let services = ["s0", "s1", "s2"]
                let own = calls % apis
                let decision = paces[own].decide(workflow: "w", services: services, user: user, at: now)
                guard decision == .taken else { continue }
                open[0] += 1
                paces[own].add(1, to: "s0")
            }
            if tick % 100 == 0 {
                for own in paces.indices {
                    let marks = paces[own].marks()
                    for stage in 0..<3 { paces[own].learn("s\(stage)", open: open[stage], marks: marks, at: now) }
                    _ = paces[own].end(workflow: "w", services: ["s0", "s1", "s2"])
                }
            }
            most = max(most, open.reduce(0, +))
            if tick == 1000 { endedAtPeak = ended }
            // Eight seconds after the peak everything is as before.
            if tick == 4300 { #expect(open.reduce(0, +) < 20 && paces.allSatisfy(\.rationed.isEmpty)) }
            if tick == 3500 { #expect(Double(ended - endedAtPeak) > 0.8 * 25 * capacity) }
        }
        #expect(Double(most) < 8 * capacity, "\(Double(most) / capacity) s")
    }
}
