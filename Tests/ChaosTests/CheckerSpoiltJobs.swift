// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

@testable import MallaChaos

extension SpoiltHistory {
    /// Whence results come.
    static let results: [SpoiltHistory] = [
        SpoiltHistory(.resultOfItsAttempt, "of a stale attempt") { $0.set(\.jobs, "k0-first", ["attempt": 2]) },
        SpoiltHistory(.resultOfItsAttempt, "of another job") { history in
            let other = history.rows.jobs.first { $0["id"]?.string == "k0-last" }
            history.set(\.jobs, "k0-first", ["result": other?["result"] ?? .null])
        },
        SpoiltHistory(.resultOfItsAttempt, "of a call that failed") {
            $0.mapMarks("k0-first-1") { $0.kind == .answered ? $0.with(kind: .failed) : $0 }
        },
        SpoiltHistory(.resultOfItsAttempt, "of no call") {
            $0.set(\.jobs, "k0-first", ["result": "{\"nonce\":\"made-up\"}"])
        },
        SpoiltHistory(.resultOfItsAttempt, "other than what was answered") {
            $0.set(\.jobs, "k0-first", ["result": "{\"nonce\":\"k0-first-1\",\"attempt\":1}"])
        },
        SpoiltHistory(.resultOfItsAttempt, "a large one of an attempt that never answered") {
            $0.set(\.jobs, "k3-first", ["result": "\"s3://results/large\"", "attempt": 3])
        },
        SpoiltHistory(.dataOfAnswers, "of no call") {
            $0.set(\.tasks, "t-k0", ["output": "{\"first\":{\"nonce\":\"made-up\"}}"])
        },
        SpoiltHistory(.dataOfAnswers, "of another task") {
            $0.set(\.tasks, "t-k0", ["output": "{\"first\":[{\"nonce\":\"k7-first-1\"}]}"])
        },
        SpoiltHistory(.dataOfAnswers, "of a call that failed") {
            $0.set(\.tasks, "t-k3", ["output": "{\"first\":{\"nonce\":\"k3-first-1\"}}"])
        },
        SpoiltHistory(.dataOfAnswers, "of a stale attempt") {
            $0.mapMarks("k3-first-1") { $0.kind == .failed ? $0.with(kind: .answered) : $0 }
            $0.set(\.tasks, "t-k3", ["output": "{\"first\":{\"nonce\":\"k3-first-1\"}}"])
        },
        SpoiltHistory(.dataOfAnswers, "with another's place") {
            $0.set(\.tasks, "t-k1", ["output": "{\"items\":[{\"nonce\":\"k1-items0-1\",\"item\":1}]}"])
        },
        SpoiltHistory(.dataOfAnswers, "not there") { $0.set(\.tasks, "t-k0", ["output": .null]) },
        SpoiltHistory(.inputOfAnswers, "of a stale attempt") { history in
            history.mapMarks("k0-last-1") { mark in
                var answer = mark.answer
                answer[member: "from"] = ["k3-first-1"]
                return mark.with(answer: answer)
            }
        },
        SpoiltHistory(.failureIsCaused, "the call answered") {
            $0.mapMarks("k2-first-1") { $0.kind == .refused ? $0.with(kind: .answered) : $0 }
        },
        SpoiltHistory(.failureIsCaused, "attempts were left") {
            $0.mapMarks("k2-first-1") { $0.kind == .refused ? $0.with(kind: .failed) : $0 }
        },
        SpoiltHistory(.failureIsCaused, "the last attempt answered") {
            $0.mapMarks("k4-first-3") { $0.kind == .failed ? $0.with(kind: .answered) : $0 }
        },
        SpoiltHistory(.failureIsCaused, "poison after one death") { $0.set(\.jobs, "k8-first", ["deaths": 1]) },
        SpoiltHistory(.failedTaskHasCause, "no failed job") { $0.set(\.jobs, "k2-first", ["state": "cancelled"]) },
        SpoiltHistory(.wholeFanOut, "an item twice") { $0.set(\.jobs, "k1-items2", ["item": 1]) },
        SpoiltHistory(.wholeFanOut, "an item missing") { history in
            history.rows.jobs.removeAll { $0["id"]?.string == "k1-items1" }
        },
        SpoiltHistory(.wholeFanOut, "the last item missing") { history in
            history.rows.jobs.removeAll { $0["id"]?.string == "k1-items2" }
        },
        SpoiltHistory(.wholeFanOut, "all missing") { history in
            history.rows.jobs.removeAll { $0["name"]?.string == "items" }
        },
        SpoiltHistory(.countersAreRight, "one too many") { history in
            let stage: JSON = ["status": "succeeded", "total": 3, "succeeded": 2, "failed": 1]
            history.set(\.runs, "t-k1", ["stages": [stage, ["total": 1, "succeeded": 1, "failed": 0]]])
        },
        SpoiltHistory(.countersAreRight, "a stage that is not there") { $0.set(\.runs, "t-k0", ["stages": []]) },
    ]

    /// How jobs went.
    static let jobs: [SpoiltHistory] = [
        SpoiltHistory(.noJobIsLeft, "waiting") { $0.set(\.jobs, "k0-last", ["state": "waiting", "finished": .null]) },
        SpoiltHistory(.noJobIsLeft, "running") { $0.set(\.jobs, "k5-first", ["state": "running", "finished": .null]) },
        SpoiltHistory(.attemptsCount, "a call of an attempt to come") { $0.set(\.jobs, "k4-first", ["attempt": 2]) },
        SpoiltHistory(.attemptsCount, "a success without an attempt") { history in
            history.marks.removeAll { $0.job == "k0-first" }
            history.set(\.jobs, "k0-first", ["attempt": 0])
        },
        SpoiltHistory(.faultsCostNothing, "a failure without a failed call") {
            $0.set(\.jobs, "k0-first", ["failures": 1])
        },
        SpoiltHistory(.faultsCostNothing, "a lost worker counted as a failure") {
            $0.fault(.kill, .role(.worker1), from: 0, to: 3)
            $0.mapMarks("k3-first-1") { $0.kind == .failed ? nil : $0 }
        },
        SpoiltHistory(.faultsCostNothing, "a failure that was not counted") {
            $0.set(\.jobs, "k3-first", ["failures": 0])
        },
        SpoiltHistory(.failuresAreBound, "more than it may") { $0.set(\.jobs, "k4-first", ["max_attempts": 2]) },
        SpoiltHistory(.failuresAreBound, "as many, and a success") { $0.set(\.jobs, "k3-first", ["max_attempts": 1]) },
        SpoiltHistory(.poisonIsBound, "two deaths and a success") {
            $0.set(\.jobs, "k8-first", ["state": "succeeded"])
        },
        SpoiltHistory(.poisonIsBound, "ten lost workers and a success") {
            $0.fault(.kill, .role(.worker1), from: 0, to: 3)
            $0.set(\.jobs, "k0-first", ["orphaned": 10])
        },
        SpoiltHistory(.poisonIsBound, "a death without a cause") { $0.set(\.jobs, "k0-first", ["deaths": 1]) },
        SpoiltHistory(.poisonIsBound, "an innocent handler was killed") { $0.dies("k3-first") },
        SpoiltHistory(.poisonIsBound, "an innocent handler was killed while its worker had other trouble") {
            $0.dies("k3-first")
            $0.fault(.cut, .link(Link(from: .worker1, to: .server(.s3))), from: 0, to: 8)
            $0.fault(.freeze, .role(.worker1), from: 0, to: 8)
        },
        SpoiltHistory(.poisonIsBound, "the handlers of another worker were killed") {
            $0.dies("k3-first")
            $0.fault(.killHandlers, .role(.worker2), from: 0.2, to: 0.2)
        },
        SpoiltHistory(.deployCostsNothing, "a lost worker") {
            $0.fault(.restart, .role(.worker1), from: 0, to: 3)
            $0.set(\.jobs, "k0-first", ["orphaned": 1])
        },
        SpoiltHistory(.deployCostsNothing, "a call that was cut off") {
            $0.fault(.restart, .role(.worker1), from: 0, to: 3)
            $0.mapMarks("k3-first-1") { $0.kind == .failed ? nil : $0 }
            $0.set(\.jobs, "k3-first", ["failures": 0])
        },
        SpoiltHistory(.deployCostsNothing, "an answer that was lost") {
            $0.fault(.restart, .role(.appAPI1), from: 0, to: 3)
            $0.mapMarks("k3-first-1") { $0.kind == .failed ? $0.with(kind: .answered) : $0 }
            $0.set(\.jobs, "k3-first", ["failures": 0])
        },
        SpoiltHistory(.poisonIsBound, "lost with another worker") {
            $0.fault(.kill, .role(.worker2), from: 0, to: 3)
            $0.set(\.jobs, "k0-first", ["orphaned": 1])
        },
        SpoiltHistory(.poisonIsBound, "lost more often than it was claimed") {
            $0.fault(.kill, .role(.worker1), from: 0, to: 3)
            $0.set(\.jobs, "k0-first", ["orphaned": 2])
        },
        SpoiltHistory(.poisonIsBound, "a lost worker without a fault") { $0.set(\.jobs, "k0-first", ["orphaned": 1]) },
    ]

    /// Calls of handlers.
    static let calls: [SpoiltHistory] = [
        SpoiltHistory(.callIsKnown, "of a job that is not there") {
            $0.mapMarks("k0-first-1") { $0.with(job: "other") }
        },
        SpoiltHistory(.callIsKnown, "with another key") { $0.mapMarks("k0-first-1") { $0.with(key: "k1") } },
        SpoiltHistory(.callIsKnown, "with another item") { $0.set(\.jobs, "k1-items0", ["item": 3]) },
        SpoiltHistory(.oneCallPerClaim, "two calls of one attempt") { history in
            let marks = history.marks.filter { $0.nonce == "k0-first-1" }
            history.marks += marks.map { $0.with(at: $0.at + 0.3, nonce: "again") }
        },
        SpoiltHistory(.oneCallAtATime, "another worker was lost") { history in
            history.mapMarks("k3-first-1") { $0.kind == .failed ? $0.with(kind: .answered, at: $0.at + 0.2) : $0 }
            history.fault(.freeze, .role(.worker2), from: 0, to: 8)
        },
        SpoiltHistory(.oneCallAtATime, "the first attempt answered in the second's time") { history in
            history.mapMarks("k3-first-1") { $0.kind == .failed ? $0.with(kind: .answered, at: $0.at + 0.2) : $0 }
        },
        SpoiltHistory(.nothingAfterTheEnd, "a call begins later") { history in
            history.mapMarks("k0-last-1") { $0.with(at: $0.at + 10) }
        },
    ]

    /// Cancels and deadlines.
    static let limits: [SpoiltHistory] = [
        SpoiltHistory(.cancelCounts, "answered as running") {
            $0.mapCalls(.cancel, "k5") { $0.with(answer: ["errorCode": ["status": "CH_002"]]) }
        },
        SpoiltHistory(.cancelCounts, "ended later") { $0.mapCalls(.cancel, "k5") { $0.with(after: -0.5) } },
        SpoiltHistory(.cancelStops, "a handler began 1.1 s after it") { history in
            history.mapMarks("k5-first-1") { $0.with(at: CheckerRightHistory.began + 1.56 + 1.1) }
        },
        SpoiltHistory(.cancelStops, "another worker was frozen") { history in
            history.mapMarks("k5-first-1") { $0.with(at: CheckerRightHistory.began + 1.56 + 1.1) }
            history.fault(.freeze, .role(.worker3), from: 1, to: 10)
            history.fault(.slow, .link(Link(from: .worker2, to: .server(.s3))), from: 1, to: 10)
        },
        SpoiltHistory(.cancelEndsHandlers, "a handler went on for 1.6 s") { $0.runsOn(1.6) },
        SpoiltHistory(.cancelEndsHandlers, "a handler went on, and was killed in the end") { history in
            history.runsOn(1.6)
            history.mapMarks("k5-first-1") { $0.kind == .stopped ? $0.with(kind: .alive) : $0 }
        },
        SpoiltHistory(.noStartAfterDeadline, "a handler began later") { history in
            history.mapMarks("k6-first-1") { $0.with(at: CheckerRightHistory.began + 2.06 + 0.15) }
        },
        SpoiltHistory(.noEarlyTimeout, "a task") {
            $0.set(\.tasks, "t-k6", ["finished": .number(JSONNumber($0.began + 1.5))])
        },
        SpoiltHistory(.noEarlyTimeout, "a job") {
            $0.set(\.jobs, "k6-first", ["finished": .number(JSONNumber($0.began + 1.5))])
        },
        SpoiltHistory(.deadlineIsKept, "a task ended far later") {
            $0.set(\.tasks, "t-k6", ["finished": .number(JSONNumber($0.began + 8))])
        },
    ]

    /// Callbacks.
    static let callbacks: [SpoiltHistory] = [
        SpoiltHistory(.oneCallback, "none") { $0.rows.callbacks.removeFirst() },
        SpoiltHistory(.oneCallback, "two") { history in
            var row = history.rows.callbacks[0]
            row[member: "id"] = "c-other"
            history.rows.callbacks.append(row)
        },
        SpoiltHistory(.callbackIsKnown, "of no task") { $0.mapArrivals("k0") { $0.with(body: ["taskId": "other"]) } },
        SpoiltHistory(.callbackIsKnown, "no JSON") { $0.mapArrivals("k0") { $0.with(body: .null) } },
        SpoiltHistory(.callbackIsKnown, "of a task under way") {
            $0.set(\.tasks, "t-k0", ["state": "running", "finished": .null])
        },
        SpoiltHistory(.oneCallbackID, "another") { $0.mapArrivals("k0") { $0.with(id: "c-other") } },
        SpoiltHistory(.oneBody, "another") { $0.mapArrivals("k0") { $0.with(hash: "other") } },
        SpoiltHistory(.callbackIsSigned, "badly") { $0.mapArrivals("k0") { $0.with(isSigned: false) } },
        SpoiltHistory(.callbackAfterEnd, "before") { $0.mapArrivals("k0") { $0.with(after: -0.2) } },
        SpoiltHistory(.callbackArrives, "never") { $0.mapArrivals("k0") { _ in nil } },
        SpoiltHistory(.callbackArrives, "never taken") { $0.mapArrivals("k0") { $0.with(answered: 500) } },
        SpoiltHistory(.callbackArrives, "given up") { $0.set(\.callbacks, "c-k0", ["state": "abandoned"]) },
        SpoiltHistory(.callbackArrives, "still pending") { $0.set(\.callbacks, "c-k0", ["state": "pending"]) },
        SpoiltHistory(.callbackArrives, "gone, but never told") { $0.mapArrivals("k7") { _ in nil } },
        SpoiltHistory(.goneStops, "sent again") { history in
            if let first = history.callbacks.first(where: { $0.id == "c-k7" }) {
                history.callbacks.append(first.with(after: 5))
            }
        },
        SpoiltHistory(.takenStops, "sent again") { history in
            if let first = history.callbacks.first(where: { $0.id == "c-k0" }) {
                history.callbacks.append(first.with(after: 2))
            }
        },
        SpoiltHistory(.takenStops, "everything is sent twice") { history in
            history.callbacks += history.callbacks.map { $0.with(after: 0.5) }
            history.fault(.cut, .link(Link(from: .worker1, to: .server(.postgres))), from: 0, to: 8)
            history.fault(.cut, .link(Link(from: .appAPI1, to: .server(.s3))), from: 0, to: 8)
        },
        SpoiltHistory(.goneStops, "still pending") { $0.set(\.callbacks, "c-k7", ["state": "pending"]) },
        SpoiltHistory(.attemptsAreTrue, "one that did not arrive") {
            $0.set(\.callbacks, "c-k0", ["made": [["number": 1, "status": 200], ["number": 2, "status": 200]]])
        },
    ]
}

extension History {
    /// The process of a job's first call ends without a word, which counts as a death.
    mutating func dies(_ job: String) {
        mapMarks("\(job)-1") { $0.kind == .began ? $0 : nil }
        set(\.jobs, job, ["failures": 0, "deaths": 1])
    }

    /// The handler of `k5` stops only so many seconds after the cancel was answered.
    mutating func runsOn(_ seconds: Double) {
        let answered = began + 1.555
        mapMarks("k5-first-1") { $0.kind == .stopped ? $0.with(at: answered + seconds) : $0 }
    }
}
