// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    private static func ended(_ fixture: LedgerFixture) async throws -> TaskID {
        let task = try await fixture.accept(fixture.fanAll)
        try await fixture.settle(task: task, .cancelled)
        return task
    }

    private static func attempt(
        _ callback: CallbackRecord,
        _ number: Int,
        status: Int? = nil,
        error: String? = nil
    ) -> CallbackAttempt {
        CallbackAttempt(
            callback: callback.id,
            number: number,
            // No two attempts begin at the same microsecond.
            startedAt: Timestamp(microseconds: 1_700_000_000_000_000 + Int64(number * 1000 + (status ?? 0))),
            duration: .milliseconds(120),
            status: status,
            error: error
        )
    }

    static let callbackCases = [
        Case("a due callback is taken by one process, and by another once its hold is over") { fixture in
            let task = try await ended(fixture)
            let app = [LedgerFixture.app]
            try requireEqual(
                try await fixture.ledger.takeCallbacks(apps: ["other"], limit: 9, hold: .seconds(20)).count,
                0,
                "callbacks of another app"
            )
            let taken = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(20))
            try requireEqual(taken.map(\.task), [task], "taken callbacks")
            try requireEqual(taken[0].headers.map(\.name), ["content-type", "x-request-id"], "header names")
            try requireEqual(taken[0].headers.first?.value, "application/json", "header value")
            try requireEqual(taken[0].body, Array("cancelled".utf8), "body")
            try require(taken[0].isTrusted, "the operator's own receiver is not trusted")
            try requireEqual(
                try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(20)).count,
                0,
                "held ones"
            )
            try await fixture.pass(.seconds(30))
            try requireEqual(
                try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(20)).map(\.id),
                taken.map(\.id),
                "taken over"
            )
            try requireEqual(try await fixture.ledger.takeCallbacks(apps: app, limit: 0, hold: .zero).count, 0, "none")
        },
        Case("a hold can be renewed, and neither outlives a replay nor hastens a retry") { fixture in
            let task = try await ended(fixture)
            let app = [LedgerFixture.app]
            let taken = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(20))
            let callback = try unwrap(taken.first, "the callback")
            try await fixture.pass(.seconds(15))
            try await fixture.ledger.holdCallbacks([callback.id, MeshID()], for: .seconds(20))
            try await fixture.ledger.holdCallbacks([], for: .seconds(20))
            try await fixture.pass(.seconds(15))
            try requireEqual(
                try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(20)).count,
                0,
                "taken while the hold is renewed"
            )
            try requireEqual(try await fixture.ledger.replayCallbacks(of: task), 1, "replayed")
            try await fixture.ledger.holdCallbacks([callback.id], for: .seconds(20))
            let replayed = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(20))
            try requireEqual(replayed.map(\.id), [callback.id], "taken after the replay")
            try await fixture.ledger.record([(attempt(callback, 1, status: 500), .pending, .seconds(600))])
            try await fixture.ledger.holdCallbacks([callback.id], for: .seconds(20))
            try await fixture.pass(.seconds(30))
            try requireEqual(
                try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(20)).count,
                0,
                "taken before its retry is due"
            )
        },
        Case("a callback is given back by the one that holds it, and by no other") { fixture in
            _ = try await ended(fixture)
            let app = [LedgerFixture.app]
            let (ledger, hold) = (fixture.ledger, Duration.seconds(20))
            let callback = try unwrap(try await ledger.takeCallbacks(apps: app, limit: 9, hold: hold).first, "taken")
            try await ledger.releaseCallbacks([])
            try await ledger.releaseCallbacks([HeldCallback(callback)])
            let again = try await ledger.takeCallbacks(apps: app, limit: 9, hold: hold)
            try requireEqual(again.map(\.id), [callback.id], "taken after it was given back")
            let second = try unwrap(again.first, "the callback taken again")
            try await ledger.releaseCallbacks([HeldCallback(callback)])
            try requireEqual(
                try await ledger.takeCallbacks(apps: app, limit: 9, hold: hold).count,
                0,
                "by another hold"
            )
            try await ledger.holdCallbacks([callback.id], for: hold)
            try await ledger.releaseCallbacks([HeldCallback(second)])
            try requireEqual(try await ledger.takeCallbacks(apps: app, limit: 9, hold: hold).count, 0, "when renewed")
            try await ledger.record([(attempt(callback, 1, status: 204), .delivered, nil)])
            try await ledger.releaseCallbacks([HeldCallback(second)])
            try requireEqual(try await ledger.takeCallbacks(apps: app, limit: 9, hold: hold).count, 0, "when delivered")
        },
        Case("attempts of one callback that are recorded together build upon one another, in whatever order they come")
        {
            fixture in
            let task = try await ended(fixture)
            let other = try await ended(fixture)
            let taken = try await fixture.ledger.takeCallbacks(
                apps: [LedgerFixture.app],
                limit: 9,
                hold: .seconds(60)
            )
            let callback = try unwrap(taken.first { $0.task == task }, "the task's callback")
            let beside = try unwrap(taken.first { $0.task == other }, "the other task's callback")
            try await fixture.ledger.record([
                (attempt(callback, 3, status: 204), .delivered, nil),
                (attempt(callback, 1, error: "refused"), .pending, .zero),
                (attempt(beside, 1, status: 200), .delivered, nil),
                (attempt(callback, 2, status: 500), .pending, .zero),
            ])
            let stored = try await fixture.ledger.callbacks(of: task)
            try requireEqual(stored.map(\.callback.state), [.delivered], "state")
            try requireEqual(stored.map(\.callback.attempts), [3], "attempts")
            try requireEqual(stored.first?.attempts.map(\.number) ?? [], [1, 2, 3], "history")
            try requireEqual(try await fixture.ledger.callbacks(of: other).map(\.callback.attempts), [1], "the other's")
        },
        Case("attempts are recorded; a delivered or abandoned callback is not taken again until it is replayed") {
            fixture in
            let task = try await ended(fixture)
            let other = try await ended(fixture)
            let app = [LedgerFixture.app]
            let taken = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(60))
            let callback = try unwrap(taken.first { $0.task == task }, "the task's callback")
            let lost = try unwrap(taken.first { $0.task == other }, "the other task's callback")
            try await fixture.ledger.record([
                (attempt(callback, 1, error: "refused"), .pending, .seconds(20)),
                (attempt(lost, 1, status: 410, error: "gone"), .abandoned, nil),
            ])
            try requireEqual(
                try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(60)).count,
                0,
                "not due yet"
            )
            try await fixture.pass(.seconds(30))
            let again = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(60))
            try requireEqual(again.map(\.id), [callback.id], "due again")
            try requireEqual(again.first?.attempts, 1, "attempts so far")
            try await fixture.ledger.record([(attempt(callback, 2, status: 204), .delivered, nil)])
            let stored = try await fixture.ledger.callbacks(of: task)
            try requireEqual(stored.map(\.callback.state), [.delivered], "state")
            try requireEqual(
                stored.first?.attempts ?? [],
                [attempt(callback, 1, error: "refused"), attempt(callback, 2, status: 204)],
                "attempts"
            )
            try await fixture.pass(.seconds(61))
            try requireEqual(
                try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(60)).count,
                0,
                "after the end"
            )
            try requireEqual(try await fixture.ledger.replayCallbacks(of: task), 1, "replayed")
            let replayed = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(60))
            try requireEqual(replayed.map(\.id), [callback.id], "due after the replay")
            try requireEqual(replayed.first?.attempts, 0, "attempts after the replay")
            try await fixture.ledger.record([(attempt(callback, 1, status: 200), .delivered, nil)])
            // Once more, as after an answer that was lost.
            try await fixture.ledger.record([(attempt(callback, 1, status: 200), .delivered, nil)])
            try requireEqual(try await fixture.ledger.callbacks(of: task).first?.attempts.count, 3, "history")
            try requireEqual(try await fixture.ledger.replayCallbacks(of: MeshID()), 0, "replayed of nobody")
            try requireEqual(try await fixture.ledger.callbacks(of: MeshID()).count, 0, "callbacks of nobody")
            try await fixture.ledger.record([])
        },
        Case("a replay outlives the attempt that was under way") { fixture in
            let task = try await ended(fixture)
            let app = [LedgerFixture.app]
            let taken = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(600))
            let callback = try unwrap(taken.first, "the callback")
            for number in 1...8 {
                try await fixture.ledger.record([(attempt(callback, number, status: 500), .pending, .seconds(600))])
            }
            try requireEqual(try await fixture.ledger.replayCallbacks(of: task), 1, "replayed")
            try await fixture.ledger.record([(attempt(callback, 9, error: "refused"), .abandoned, nil)])
            let stored = try unwrap(try await fixture.ledger.callbacks(of: task).first, "the callback")
            try requireEqual(stored.callback.state, .pending, "state")
            try requireEqual(stored.callback.attempts, 0, "attempts that count")
            try requireEqual(stored.attempts.map(\.number), Array(1...9), "history")
            let again = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(600))
            try requireEqual(again.map(\.id), [callback.id], "due")
        },
        Case("of two who tried at once the one that delivered counts") { fixture in
            let task = try await ended(fixture)
            let app = [LedgerFixture.app]
            let taken = try await fixture.ledger.takeCallbacks(apps: app, limit: 9, hold: .seconds(600))
            let callback = try unwrap(taken.first, "the callback")
            try await fixture.ledger.record([(attempt(callback, 1, status: 500), .pending, .zero)])
            try await fixture.ledger.record([(attempt(callback, 1, status: 410), .abandoned, nil)])
            let pending = try unwrap(try await fixture.ledger.callbacks(of: task).first, "the callback")
            try requireEqual(pending.callback.state, .pending, "state after the slower one failed")
            try await fixture.ledger.record([(attempt(callback, 1, status: 200), .delivered, nil)])
            let stored = try unwrap(try await fixture.ledger.callbacks(of: task).first, "the callback")
            try requireEqual(stored.callback.state, .delivered, "state after the slower one delivered")
            try requireEqual(stored.attempts.count, 3, "history")
        },
        Case("the sweep leaves a task whose callback is still to be sent") { fixture in
            let task = try await ended(fixture)
            let other = try await ended(fixture)
            let moment = Timestamp.now + .seconds(60)
            try requireEqual(try await fixture.ledger.sweep(finishedBefore: moment, limit: 9), 0, "swept too early")
            try requireEqual(try await fixture.ledger.callbacks(of: task).count, 1, "callbacks")
            let taken = try await fixture.ledger.takeCallbacks(
                apps: [LedgerFixture.app],
                limit: 9,
                hold: .seconds(600)
            )
            let callback = try unwrap(taken.first { $0.task == other }, "the other task's callback")
            try await fixture.ledger.record([(attempt(callback, 1, status: 410), .abandoned, nil)])
            // The one that stays is the oldest, and it does not take the other's place.
            try requireEqual(try await fixture.ledger.sweep(finishedBefore: moment, limit: 1), 1, "swept")
            try require(try await fixture.ledger.task(task) != nil, "the task is gone with its callback")
            try require(try await fixture.ledger.task(other) == nil, "a swept task is still there")
        },
        Case("takers at once never share a callback") { fixture in
            for _ in 0..<40 { _ = try await ended(fixture) }
            let taken = try await withThrowingTaskGroup(of: [MeshID].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var mine: [MeshID] = []
                        while true {
                            let batch = try await fixture.ledger.takeCallbacks(
                                apps: [LedgerFixture.app],
                                limit: 3,
                                hold: .seconds(600)
                            )
                            if batch.isEmpty { return mine }
                            mine += batch.map(\.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try requireEqual(taken.count, 40, "takes")
            try requireEqual(Set(taken).count, 40, "distinct callbacks")
        },
    ]
}
