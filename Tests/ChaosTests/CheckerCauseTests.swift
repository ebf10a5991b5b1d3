// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@testable import MallaChaos

/// What a cancel, a death or a repeated call may be laid to: the very worker, link or App API, and nothing beside it.
@Suite struct CheckerCauseTests {
    @Test func lateCallAfterCancel() {
        func late(_ seconds: Double, _ fault: Fault.Kind?, _ target: Fault.Target, until: Double = 2) -> Set<String> {
            CheckerRightHistory.changed { history in
                let answered = history.began + 1.56
                history.mapMarks("k5-first-1") { $0.with(at: answered + seconds + ($0.kind == .stopped ? 0.1 : 0)) }
                if let fault { history.fault(fault, target, from: 1, to: until) }
            }.broken
        }
        let (broken, end) = (Rule.cancelStops.rawValue, Rule.nothingAfterTheEnd.rawValue)
        #expect(late(0.9, nil, .receiver) == [])
        #expect(late(1.1, nil, .receiver) == [broken])
        #expect(late(2.4, .kill, .server(.redis)) == [])
        #expect(late(2.6, .kill, .server(.redis)) == [broken, end])
        #expect(late(1.5, .cut, .link(Link(from: .worker1, to: .server(.redis)))) == [])
        #expect(late(1.5, .kill, .server(.s3)) == [broken])
        // A frozen worker goes on where it was; but not half a second later.
        #expect(late(8.8, .freeze, .role(.worker1), until: 10) == [])
        #expect(late(9.3, .freeze, .role(.worker1), until: 10).contains(broken))
        // Others' trouble excuses nothing: its own worker and the App API that was asked do.
        for (kind, target) in Self.othersTrouble { #expect(late(1.5, kind, target) == [broken], "\(target)") }
        for target in [Fault.Target.role(.appAPI1), .link(Link(from: .appAPI1, to: .server(.redis)))] {
            #expect(late(1.5, .cut, target) == [], "\(target)")
        }
    }

    private static let othersTrouble: [(Fault.Kind, Fault.Target)] = [
        (.freeze, .role(.worker2)), (.kill, .role(.appAPI2)), (.kill, .role(.serviceAPI1)),
        (.slow, .link(Link(from: .worker1, to: .server(.s3)))),
        (.cut, .link(Link(from: .worker2, to: .server(.redis)))),
        (.cut, .link(Link(from: .worker2, to: .server(.postgres)))),
        (.cut, .link(Link(from: .appAPI2, to: .server(.redis)))),
        (.halfOpen, .link(Link(from: .worker1, to: .server(.rabbit)))), (.kill, .server(.rabbit)), (.hang, .receiver),
    ]

    @Test func aHandlerGoesOnAfterACancel() {
        func runs(_ seconds: Double, _ fault: Fault.Kind?, _ target: Fault.Target, until: Double = 2) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.runsOn(seconds)
                if let fault { history.fault(fault, target, from: 1, to: until) }
            }.broken
        }
        let broken = Rule.cancelEndsHandlers.rawValue
        #expect(runs(1.4, nil, .receiver) == [])
        #expect(runs(1.6, nil, .receiver) == [broken])
        #expect(runs(2.9, .kill, .server(.redis)) == [])
        #expect(runs(3.1, .kill, .server(.redis)) == [broken])
        #expect(runs(2.9, .cut, .link(Link(from: .worker1, to: .server(.redis)))) == [])
        #expect(runs(9, .freeze, .role(.worker1), until: 10) == [])
        #expect(runs(12, .freeze, .role(.worker1), until: 10) == [broken])
        for (kind, target) in Self.othersTrouble { #expect(runs(1.6, kind, target) == [broken], "\(target)") }
        // A claim that was on its way when the hint came excuses nothing.
        let claimed = CheckerRightHistory.changed { history in
            let began = history.began
            history.mapMarks("k5-first-1") { $0.with(at: began + ($0.kind == .began ? 1.54 : 4)) }
        }
        #expect(claimed.broken == [broken])
    }

    @Test func aDeathOfItsWorkersHandlersIsExcused() {
        func died(_ kind: Fault.Kind, _ target: Fault.Target) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.dies("k3-first")
                history.fault(kind, target, from: 0.2, to: 0.2)
            }.broken
        }
        #expect(died(.killHandlers, .role(.worker1)) == [])
        #expect(died(.killHandlers, .role(.worker2)) == [Rule.poisonIsBound.rawValue])
        #expect(died(.freeze, .role(.worker1)) == [Rule.poisonIsBound.rawValue])
    }

    @Test func aDeployRepeatsWhatFailed() {
        func deployed(_ change: (inout History) -> Void = { _ in }) -> Set<String> {
            CheckerRightHistory.changed { history in
                history.fault(.restart, .role(.appAPI1), from: 0, to: 0.1)
                history.fault(.restart, .role(.worker1), from: 0.15, to: 3)
                change(&history)
            }.broken
        }
        // Failures and planned deaths are in it.
        #expect(deployed() == [])
        func cutOff(_ history: inout History) {
            history.mapMarks("k3-first-1") { $0.kind == .failed ? nil : $0 }
            history.set(\.jobs, "k3-first", ["failures": 0])
        }
        #expect(deployed(cutOff) == [Rule.deployCostsNothing.rawValue])
        // Its process was ended for a neighbour that did not stop.
        let neighbour = deployed { history in
            cutOff(&history)
            let began = history.began
            history.mapMarks("k5-first-1") { mark in
                let at = began + (mark.kind == .began ? 0.1 : 1.6)
                return mark.with(kind: mark.kind == .began ? .began : .alive, at: at)
            }
        }
        #expect(neighbour == [])
        // More than a deploy was wrong.
        let more = deployed { history in
            cutOff(&history)
            history.fault(.kill, .server(.redis), from: 4, to: 5)
        }
        #expect(more == [])
    }

    @Test func aRunIsReadFromItsBytes() throws {
        let times = [UInt8](repeating: 0, count: 16)
        let stage: [UInt8] = [2, 0, 0, 0, 5, 0, 0, 1, 4, 0, 0, 0, 1]
        let bytes = [1, 1] + stage + times
        let stages = try #require(RunBytes.stages(in: bytes))
        #expect(stages == [["status": "succeeded", "total": 5, "succeeded": 260, "failed": 1]])
        // What the mesh itself reads there.
        let own = try Run(encoded: bytes).stages[0]
        #expect((own.status.rawValue, own.total, own.succeeded, own.failed) == ("succeeded", 5, 260, 1))
        #expect(RunBytes.stages(in: [1, 1]) == [])
        for bad in [[], [1], [2, 1], [1, 1] + stage, [1, 1, 9] + stage.dropFirst() + times] {
            #expect(RunBytes.stages(in: bad) == nil)
        }
    }
}
