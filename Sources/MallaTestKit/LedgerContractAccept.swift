// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension LedgerContract {
    static let acceptCases = [
        Case("a request is accepted once: created, repeated, clash, within one batch") { fixture in
            let first = fixture.request(fixture.chain, request: "r1")
            let again = fixture.request(fixture.chain, request: "r1")
            let clash = fixture.request(fixture.chain, request: "r1", fingerprint: [2])
            let otherUser = fixture.request(fixture.chain, user: "bob", request: "r1")
            let answers = try await fixture.ledger.accept([first, again, clash, otherUser])
            let id = first.task.id
            try requireEqual(answers, [.created, .repeated(id), .clash(id), .created], "acceptances")
            let later = try await fixture.ledger.accept([clash, again])
            try requireEqual(later, [.clash(id), .repeated(id)], "acceptances of a later batch")
            try requireEqual(
                try await fixture.ledger.loads(of: ["alpha"]),
                [ServiceLoad(service: "alpha", waiting: 2, due: 2)],
                "loads after two created tasks"
            )
            let refused = try await fixture.ledger.task(again.task.id)
            try require(refused == nil, "a repeated request made a task")
            let task = again.task
            for (request, print, expected) in [
                (task.request, task.fingerprint, NewTask.Acceptance.repeated(id)),
                (task.request, [1, 2, 3], .clash(id)), ("another", task.fingerprint, nil),
            ] {
                let found = try await fixture.ledger.earlier(
                    app: task.app,
                    user: task.user,
                    request: request,
                    fingerprint: print
                )
                try requireEqual(found, expected, "what is known of the request '\(request)'")
            }
            try requireEqual(try await fixture.ledger.accept([]), [], "acceptance of nothing")
        },
        Case("a request that arrives 50 times at once is created once") { fixture in
            let answers = try await withThrowingTaskGroup(of: (TaskID, NewTask.Acceptance).self) { group in
                for _ in 0..<50 {
                    let request = fixture.request(fixture.chain, request: "same")
                    group.addTask {
                        (request.task.id, try unwrap(try await fixture.ledger.accept([request]).first, "an answer"))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let created = answers.filter { $0.1 == .created }.map(\.0)
            try requireEqual(created.count, 1, "created tasks")
            try require(
                answers.allSatisfy { $0.1 == .created || $0.1 == .repeated(created[0]) },
                "others must repeat the created one: \(answers)"
            )
            try requireEqual(try await fixture.ledger.loads(of: ["alpha"]).first?.waiting, 1, "waiting jobs")
        },
        Case("many requests at once are all accepted, each with its run and job") { fixture in
            let requests = (0..<300).map { _ in fixture.request(fixture.chain) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for request in requests {
                    group.addTask {
                        try requireEqual(try await fixture.ledger.accept([request]), [.created], "acceptance")
                    }
                }
                try await group.waitForAll()
            }
            try requireEqual(try await fixture.ledger.loads(of: ["alpha"]).first?.due, 300, "due jobs")
            for request in requests.prefix(20) {
                let jobs = try await fixture.ledger.jobs(ofTask: request.task.id, limit: 10)
                try requireEqual(jobs.map(\.id), request.jobs.map(\.job.id), "the task's jobs")
            }
        },
        Case("a run that ends at once is stored with its output and callback") { fixture in
            let request = fixture.request(fixture.fanAll, payload: "{\"n\":0}")
            try requireEqual(try await fixture.ledger.accept([request]), [.created], "acceptance")
            let view = try await fixture.view(request.task.id)
            try requireEqual(view.task.state, .succeeded, "state")
            try requireEqual(view.run.state, .succeeded, "the run's state")
            try requireEqual(view.task.output.map { String(decoding: $0, as: UTF8.self) }, "{\"items\":[]}", "output")
            try requireEqual(try await fixture.ledger.callbacks(of: request.task.id).count, 1, "callbacks")
        },
        Case("a task reads back as it was written") { fixture in
            var request = fixture.request(fixture.chain, payload: "{\"a\":\"\\u0000é\"}", user: "ünï", request: "r\"'")
            request.task.callbackURL = "https://receiver.invalid/hook"
            request.task.fingerprint = Array(0...255)
            try requireEqual(try await fixture.ledger.accept([request]), [.created], "acceptance")
            let view = try await fixture.view(request.task.id)
            let (found, expected) = (view.task, request.task)
            try requireEqual(found.app, expected.app, "app")
            try requireEqual(found.method, expected.method, "method")
            try requireEqual(found.user, expected.user, "user")
            try requireEqual(found.role, expected.role, "role")
            try requireEqual(found.request, expected.request, "request")
            try requireEqual(found.fingerprint, expected.fingerprint, "fingerprint")
            try requireEqual(found.trace, expected.trace, "trace")
            try requireEqual(found.callbackURL, expected.callbackURL, "callback URL")
            try requireEqual(found.payload, expected.payload, "payload")
            try requireEqual(found.definition, expected.definition, "definition")
            try requireEqual(found.createdAt, expected.createdAt, "creation")
            try requireEqual(found.deadline, expected.deadline, "deadline")
            try requireEqual(view.run, request.run, "run")
            try requireEqual(view.stageNames, ["first", "second"], "stage names")
            try require(view.startedAt == nil, "a task that nobody claimed has started")
            _ = try await fixture.claimOne()
            try require(try await fixture.view(request.task.id).startedAt != nil, "a claimed task has not started")
        },
        Case("migrating again, and by several at once, changes nothing") { fixture in
            let task = try await fixture.accept(fixture.chain)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await fixture.ledger.migrate() } }
                try await group.waitForAll()
            }
            _ = try await fixture.view(task)
            try await fixture.ledger.ping()
            try await fixture.ledger.store(definitions: [fixture.chain])
            let stored = try await fixture.ledger.definition(hash: fixture.chain.hash)
            try requireEqual(stored?.stages.map(\.name), fixture.chain.stages.map(\.name), "the stored definition")
            let unknown = try await fixture.ledger.definition(hash: "0000")
            try require(unknown == nil, "a definition that nobody stored")
        },
    ]
}
