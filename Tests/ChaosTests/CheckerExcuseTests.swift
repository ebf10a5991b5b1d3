// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@testable import MallaChaos

/// What looks wrong and is not, because a fault made it so; and that a fault elsewhere excuses nothing.
@Suite struct CheckerExcuseTests {
    /// The first attempt of `k3-first` answers, but its worker was lost: only the second counts.
    private func loseAnswer(_ history: inout History) {
        history.mapMarks("k3-first-1") { $0.kind == .failed ? $0.with(kind: .answered, at: $0.at + 0.2) : $0 }
        history.set(\.jobs, "k3-first", ["failures": 0, "orphaned": 1])
    }

    @Test func answerOfALostWorkerCountsForNothing() {
        let lost = CheckerRightHistory.changed {
            loseAnswer(&$0)
            $0.fault(.freeze, .role(.worker1), from: 0, to: 8)
        }
        #expect(lost.broken == [])
        for target in Self.elsewhere {
            let elsewhere = CheckerRightHistory.changed {
                loseAnswer(&$0)
                $0.fault(.kill, target, from: 0, to: 8)
            }
            #expect(elsewhere.broken == [Rule.oneCallAtATime.rawValue, Rule.poisonIsBound.rawValue], "\(target)")
        }
    }

    /// What costs `worker-1` no job: nothing but its own way to the ledger keeps its jobs.
    private static let elsewhere: [Fault.Target] = [
        .role(.appAPI1), .role(.serviceAPI1), .role(.worker2), .server(.rabbit), .server(.redis), .server(.s3),
        .receiver, .link(Link(from: .worker1, to: .server(.s3))), .link(Link(from: .worker1, to: .server(.rabbit))),
        .link(Link(from: .worker2, to: .server(.postgres))), .link(Link(from: .appAPI1, to: .server(.postgres))),
    ]

    /// What may cost it one.
    private static let near: [Fault.Target] = [
        .role(.worker1), .server(.postgres), .link(Link(from: .worker1, to: .server(.postgres))),
    ]

    @Test func onlyItsOwnTroubleLosesAWorkersJob() {
        for target in Self.near {
            let lost = CheckerRightHistory.changed {
                loseAnswer(&$0)
                $0.fault(.cut, target, from: 0, to: 8)
            }
            #expect(lost.broken == [], "\(target)")
        }
        // Whose call it was is not known: any worker may have lost it.
        let nameless = CheckerRightHistory.changed { history in
            loseAnswer(&history)
            history.marks = history.marks.map { $0.nameless }
            history.fault(.freeze, .role(.worker2), from: 0, to: 8)
        }
        #expect(nameless.broken == [])
    }

    /// A worker may be told of a job whose commit then fails.
    @Test func aJobIsUnknownOnlyWhereItsCommitMayHaveFailed() {
        func announced(_ key: String, after: Double, amid target: Fault.Target? = nil) -> Set<String> {
            CheckerRightHistory.changed { history in
                let marks = history.marks.filter { $0.nonce == "\(key)-first-1" }
                let end = marks.map(\.at).max() ?? 0
                history.marks += marks.map { $0.with(at: end + after, job: "announced", nonce: "announced") }
                if let target { history.fault(.cut, target, from: 0, to: 8) }
            }.broken
        }
        #expect(announced("k5", after: 0.3) == [], "its task was cancelled just then")
        #expect(announced("k5", after: 3) == [Rule.callIsKnown.rawValue])
        #expect(announced("k0", after: 0.3) == [Rule.callIsKnown.rawValue])
        let ways = [Link(from: .appAPI1, to: .server(.postgres)), Link(from: .worker1, to: .server(.postgres))]
        #expect(announced("k0", after: 0.3, amid: .link(ways[0])) == [])
        #expect(announced("k0", after: 0.3, amid: .server(.postgres)) == [])
        #expect(announced("k0", after: 0.3, amid: .link(ways[1])) == [Rule.callIsKnown.rawValue])
    }

    @Test func aFailureIsLostOnlyWithItsWorker() {
        func uncounted(_ target: Fault.Target) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.set(\.jobs, "k3-first", ["failures": 0])
                history.fault(.kill, target, from: 0, to: 1)
            }.broken
        }
        for target in Self.near { #expect(uncounted(target) == [], "\(target)") }
        for target in Self.elsewhere {
            #expect(uncounted(target) == [Rule.faultsCostNothing.rawValue], "\(target)")
        }
        // Its process was ended with it, for another job's sake.
        let ended = CheckerRightHistory.changed { history in
            history.set(\.jobs, "k3-first", ["failures": 0])
            history.mapMarks("k3-first-1") { $0.with(process: 7) }
        }
        #expect(ended.broken == [])
    }

    @Test func clientsMayBeRefusedForAWhile() {
        func refused(_ status: Int?) -> Set<String> {
            CheckerRightHistory.changed { history in
                let submits = history.calls.filter { $0.kind == .submit && $0.key == "k0" }
                history.calls += submits.map { $0.with(after: -0.1, status: status, isAnswered: false) }
            }.broken
        }
        for status in [nil, 429, 503] { #expect(refused(status) == [], "\(status ?? 0)") }
        for status in [400, 401, 404, 500, 502] {
            #expect(refused(status) == [Rule.refusedForNow.rawValue], "\(status)")
        }
    }

    @Test func aClientThatGaveUpDuringFaultsProvesNothing() {
        func givenUp(_ until: Double, faultUntil: Double) -> Bool {
            CheckerRightHistory.changed { history in
                history.rows.tasks.removeAll { $0["key"]?.string == "k0" }
                history.mapCalls(.submit, "k0") { $0.with(after: until, status: 503, isAnswered: false) }
                history.fault(.kill, .server(.postgres), from: 0, to: faultUntil)
            }.broken.contains(Rule.everyTaskIsAccepted.rawValue)
        }
        #expect(givenUp(60, faultUntil: 20))
        #expect(!givenUp(25, faultUntil: 20))
    }

    @Test func lostClaimMayBeRepeatedUnderItsNumber() {
        func repeated(_ kind: Fault.Kind, _ server: Server) -> History {
            CheckerRightHistory.changed { history in
                let marks = history.marks.filter { $0.nonce == "k0-first-1" }
                history.marks += marks.filter { $0.kind == .began }.map { $0.with(at: $0.at - 0.05, nonce: "lost") }
                history.fault(kind, .server(server), from: 0.05, to: 0.06)
            }
        }
        #expect(repeated(.kill, .postgres).broken == [])
        #expect(repeated(.restart, .postgres).broken == [Rule.oneCallPerClaim.rawValue])
        #expect(repeated(.kill, .rabbit).broken == [Rule.oneCallPerClaim.rawValue])
    }

    @Test func mediaAreComparedByTheirReferences() {
        let told: JSON = ["reference": "s3://a/b", "url": "http://s3/b?x=1", "expiresAt": "later"]
        let hybrid = CheckerRightHistory.changed { $0.hybrid("k0", told: told) }
        #expect(hybrid.broken == [])
    }

    @Test func frozenWorkerMayBeginAfterTheDeadline() {
        func late(_ at: Double, _ kind: Fault.Kind) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.mapMarks("k6-first-1") { $0.with(at: CheckerRightHistory.began + at) }
                history.fault(kind, .role(.worker1), from: 1, to: 9)
            }.broken
        }
        #expect(!late(9.4, .freeze).contains(Rule.noStartAfterDeadline.rawValue))
        #expect(late(9.6, .freeze).contains(Rule.noStartAfterDeadline.rawValue))
        #expect(late(9.4, .kill).contains(Rule.noStartAfterDeadline.rawValue))
    }

    @Test func deadlineWaitsForTheLedger() {
        func ended(at: Double, _ server: Server) -> Set<String> {
            CheckerRightHistory.changed { history in
                let moment: JSON = .number(JSONNumber(history.began + at))
                history.set(\.tasks, "t-k6", ["finished": moment])
                history.set(\.jobs, "k6-first", ["finished": moment])
                history.mapArrivals("k6") { $0.with(after: at) }
                history.fault(.kill, .server(server), from: 1, to: 20)
            }.broken
        }
        #expect(ended(at: 30, .postgres) == [])
        #expect(ended(at: 40, .postgres) == [Rule.deadlineIsKept.rawValue])
        #expect(ended(at: 30, .redis) == [Rule.deadlineIsKept.rawValue])
    }

    @Test func aCallbackMayStillBeRecordedAtTheEnd() {
        func pending(at moments: [Double], _ key: String = "k0", faultUntil: Double? = nil) -> Set<String> {
            CheckerRightHistory.changed { history in
                let first = history.callbacks.filter { $0.id == "c-\(key)" }
                history.set(\.callbacks, "c-\(key)", ["state": "pending"])
                history.callbacks += moments.flatMap { moment in first.map { $0.with(after: moment) } }
                if let faultUntil { history.fault(.kill, .server(.postgres), from: 1, to: faultUntil) }
            }.broken
        }
        // It ends at +100 s.
        #expect(pending(at: [97], faultUntil: 80) == [])
        #expect(pending(at: [97], "k7", faultUntil: 80) == [])
        // Sent for ever, and never recorded.
        #expect(pending(at: [93, 97], faultUntil: 80) == [Rule.callbackArrives.rawValue])
        #expect(pending(at: [93, 97], "k7", faultUntil: 80) == [Rule.goneStops.rawValue])
        // Never again, however much was broken.
        #expect(pending(at: [], faultUntil: 80) == [Rule.callbackArrives.rawValue])
        #expect(pending(at: [], "k7", faultUntil: 80) == [Rule.goneStops.rawValue])
    }

    @Test func callbackMayComeAgain() {
        // At least once: its sender may have lost the answer, or says that there was none.
        func twice(_ change: (inout History) -> Void) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.callbacks += history.callbacks.filter { $0.id == "c-k0" }.map { $0.with(after: 2) }
                change(&history)
            }.broken
        }
        #expect(twice { _ in } == [Rule.takenStops.rawValue])
        #expect(twice { $0.fault(.kill, .role(.appAPI2), from: 1.5, to: 3) } == [])
        #expect(twice { $0.fault(.kill, .server(.postgres), from: 1.5, to: 3) } == [])
        #expect(twice { $0.fault(.cut, .link(Link(from: .appAPI1, to: .receiver)), from: 1.5, to: 3) } == [])
        #expect(twice { $0.fault(.kill, .role(.worker1), from: 1.5, to: 3) } == [Rule.takenStops.rawValue])
        let made: JSON = [["number": 1, "status": .null], ["number": 2, "status": 200]]
        #expect(twice { $0.set(\.callbacks, "c-k0", ["made": made, "attempts": 2]) } == [])
        func gone(_ fault: Fault.Kind, _ target: Fault.Target) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.callbacks += history.callbacks.filter { $0.id == "c-k7" }.map { $0.with(after: 9) }
                history.fault(fault, target, from: 1.65, to: 3)
            }.broken
        }
        #expect(gone(.kill, .role(.appAPI2)) == [])
        #expect(gone(.cut, .link(Link(from: .appAPI1, to: .receiver))) == [])
        #expect(gone(.kill, .server(.postgres)) == [])
        #expect(gone(.kill, .role(.worker1)) == [Rule.goneStops.rawValue])
        let replayed = CheckerRightHistory.changed { history in
            history.callbacks += history.callbacks.filter { $0.id == "c-k7" }.map { $0.with(after: 9) }
            let poll = history.calls.first { $0.kind == .poll && $0.key == "k7" }
            if let poll { history.calls.append(poll.with(kind: .replay)) }
        }
        #expect(replayed.broken == [])
    }

    @Test func handlersKilledTwicePoisonAJob() {
        func killed(_ times: Int) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.plan("k8", toEndAs: .succeeded)
                for time in 0..<times {
                    history.fault(.killHandlers, .role(.worker1), from: 0.2 + Double(time), to: 0.2 + Double(time))
                }
            }.broken
        }
        #expect(killed(2) == [])
        #expect(killed(1) == [Rule.plannedEnd.rawValue, Rule.poisonIsBound.rawValue])
    }

    /// `k6` has 2 s to its deadline.
    @Test func aTaskWhoseServersWereAwayForMostOfItsTimeMayBeLate() {
        func late(_ kind: Fault.Kind, _ server: Server, until end: Double) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.plan("k6", toEndAs: .succeeded, deadline: 2)
                history.fault(kind, .server(server), from: 0, to: 0.5)
                history.fault(kind, .server(server), from: 0.3, to: end)
            }.broken
        }
        #expect(late(.wipe, .rabbit, until: 1.2) == [])
        #expect(late(.freeze, .postgres, until: 1.2) == [])
        #expect(late(.wipe, .rabbit, until: 0.9) == [Rule.plannedEnd.rawValue])
        #expect(late(.kill, .redis, until: 1.9) == [Rule.plannedEnd.rawValue])
    }

    @Test func aServerThatFellLeavesItsOwnTemporaryFile() {
        func left(_ name: String, _ fault: Fault.Kind?, _ server: Server = .s3) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.leftovers.objects = ["/s3/b/derived/1/\(name)"]
                if let fault { history.fault(fault, .server(server), from: 0, to: 1) }
            }.broken
        }
        #expect(left(".rclone_temp_put_1", .kill) == [] && left(".rclone_temp_put_1", .restart) == [])
        for broken in [
            left(".rclone_temp_put_1", nil), left(".rclone_temp_put_1", .freeze),
            left(".rclone_temp_put_1", .kill, .redis), left("x.partial", .kill),
        ] { #expect(broken == [Rule.nothingIsLeft.rawValue]) }
    }

    @Test func timedOutAttemptCountsAsFailure() {
        let timedOut = CheckerRightHistory.changed { history in
            history.mapMarks("k3-first-1") { $0.kind == .failed ? nil : $0 }
            history.set(\.jobs, "k3-first", ["timeout": 0.15])
        }
        #expect(timedOut.broken == [])
    }

    @Test(arguments: [("k6", "k6-first"), ("k4", "k4-first")])
    func timePassesWhileTheBrokerIsAway(key: String, job: String) {
        func history(away target: Fault.Target, until end: Double) -> History {
            CheckerRightHistory.changed { history in
                history.plan(key, toEndAs: .succeeded, deadline: key == "k6" ? 2 : nil)
                let error: JSON = ["category": "timeout", "message": "m", "isFinal": false]
                history.set(\.jobs, job, ["error": .string(error.text)])
                history.fault(.kill, target, from: 0, to: end)
            }
        }
        #expect(history(away: .server(.rabbit), until: 1.9).broken == [])
        #expect(history(away: .server(.rabbit), until: 0.5).broken == [Rule.plannedEnd.rawValue])
        #expect(history(away: .server(.s3), until: 1.9).broken == [Rule.plannedEnd.rawValue])
    }
}
