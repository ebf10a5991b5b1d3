// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

@testable import MallaChaos

/// Ways to spoil a history for tests.
extension History {
    /// Changes the members of a row.
    mutating func set(_ rows: WritableKeyPath<LedgerRows, [JSON]>, _ id: String, _ changes: [String: JSON]) {
        let name = rows == \LedgerRows.runs ? "task" : "id"
        for index in self.rows[keyPath: rows].indices where self.rows[keyPath: rows][index][name]?.string == id {
            for (name, value) in changes { self.rows[keyPath: rows][index][member: name] = value }
        }
    }

    /// Replaces the marks of a call.
    mutating func mapMarks(_ nonce: String, _ change: (HandlerMark) -> HandlerMark?) {
        marks = marks.flatMap { $0.nonce == nonce ? change($0).map { [$0] } ?? [] : [$0] }
    }

    /// Replaces the calls of a kind about a task.
    mutating func mapCalls(_ kind: ClientCall.Kind, _ key: String, _ change: (ClientCall) -> ClientCall?) {
        calls = calls.flatMap { $0.kind == kind && $0.key == key ? change($0).map { [$0] } ?? [] : [$0] }
    }

    /// Replaces the arrivals of a task.
    mutating func mapArrivals(_ key: String, _ change: (CallbackArrival) -> CallbackArrival?) {
        callbacks = callbacks.flatMap { $0.id == "c-\(key)" ? change($0).map { [$0] } ?? [] : [$0] }
    }

    /// Has a task that was planned otherwise end like this.
    mutating func plan(_ key: String, toEndAs verdict: Verdict, deadline: Double? = nil) {
        guard let index = tasks.firstIndex(where: { $0.key == key }) else { return }
        let task = tasks[index]
        tasks[index] = PlannedTask(
            key: task.key,
            user: task.user,
            method: task.method,
            payload: [:],
            at: task.at,
            cancelAfter: nil,
            deadline: deadline,
            verdicts: [verdict],
            receiverIsGone: false
        )
    }

    /// Adds a fault, at seconds from the start.
    mutating func fault(_ kind: Fault.Kind, _ target: Fault.Target, from: Double, to: Double) {
        let fault = Fault(kind: kind, target: target, at: from, lasting: to - from)
        faults.append(FaultRecord(fault: fault, began: began + from, ended: began + to))
    }

    /// The rules that it breaks.
    var broken: Set<String> { Set(Checker.contradictions(in: self).map(\.rule)) }
}

extension JSON {
    subscript(member name: String) -> JSON {
        get { self[name] ?? .null }
        set {
            guard case .object(var object) = self else { return }
            object[name] = newValue
            self = .object(object)
        }
    }
}

extension HandlerMark {
    func with(
        kind: Kind? = nil,
        at: Double? = nil,
        key: String? = nil,
        job: String? = nil,
        attempt: Int? = nil,
        nonce: String? = nil,
        answer: JSON? = nil,
        process: Int? = nil,
        worker: String? = nil
    ) -> HandlerMark {
        HandlerMark(
            kind: kind ?? self.kind,
            at: at ?? self.at,
            key: key ?? self.key,
            stage: stage,
            item: item,
            job: job ?? self.job,
            attempt: attempt ?? self.attempt,
            nonce: nonce ?? self.nonce,
            answer: answer ?? self.answer,
            process: process ?? self.process,
            worker: worker ?? self.worker
        )
    }
}

extension HandlerMark {
    /// Without its worker.
    var nameless: HandlerMark {
        HandlerMark(
            kind: kind,
            at: at,
            key: key,
            stage: stage,
            item: item,
            job: job,
            attempt: attempt,
            nonce: nonce,
            answer: answer,
            process: process,
            worker: nil
        )
    }
}

extension ClientCall {
    func with(
        kind: Kind? = nil,
        after: Double = 0,
        status: Int? = nil,
        answer: JSON? = nil,
        isAnswered: Bool = true
    ) -> ClientCall {
        ClientCall(
            kind: kind ?? self.kind,
            key: key,
            task: task,
            began: began + after,
            ended: ended + after,
            status: isAnswered ? status ?? self.status : status,
            answer: isAnswered ? answer ?? self.answer : .null,
            api: api
        )
    }
}

extension CallbackArrival {
    func with(
        after: Double = 0,
        id: String? = nil,
        hash: String? = nil,
        body: JSON? = nil,
        isSigned: Bool = true,
        answered: Int? = nil
    ) -> CallbackArrival {
        CallbackArrival(
            at: at + after,
            id: id ?? self.id,
            bodyHash: hash ?? bodyHash,
            body: body ?? self.body,
            isSigned: isSigned,
            answered: answered ?? self.answered
        )
    }
}
