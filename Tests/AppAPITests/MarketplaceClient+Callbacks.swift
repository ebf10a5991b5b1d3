// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// A callback as `GET /tasks/{id}/callbacks` lists it.
struct ListedCallback: Sendable {
    let json: JSON
    var id: String { json["id"]?.string ?? "" }
    var state: String { json["state"]?.string ?? "" }
    var attempts: [JSON] { json["attempts"]?.array ?? [] }
    var statuses: [Int?] { attempts.map { $0["status"]?.int } }

    /// How long after the start of the last attempt the next is due.
    var dueAfterLastAttempt: Duration? {
        guard let due = json["dueAt"]?.string.flatMap({ Timestamp(rfc3339: $0) }),
            let start = attempts.last?["startedAt"]?.string.flatMap({ Timestamp(rfc3339: $0) })
        else { return nil }
        return due - start
    }
}

extension MarketplaceClient {
    func call(callbackURL: String?) async throws -> Answer {
        var body: JSON = ["method": "chain", "payload": ["n": 1]]
        if let callbackURL { body = body.adding("callbackUrl", .string(callbackURL)) }
        return try await send(.post, "/call", body)
    }

    /// A task that has just ended: cancelled, so that its callback is due.
    func ended(callbackURL: String? = nil) async throws -> String {
        let answer = try await call(callbackURL: callbackURL)
        try #require(answer.status == 200, "\(answer.reason)")
        return try await ended(answer.task)
    }

    func ended(_ task: String) async throws -> String {
        #expect(try await send(.post, "/tasks/\(task)/cancel").code == "CO_499")
        return task
    }

    /// The task's callback once it is as wanted; the suite's time limit ends a wait in vain.
    func callback(
        of task: String,
        once isWanted: (ListedCallback) -> Bool
    ) async throws -> ListedCallback {
        while true {
            let answer = try await send(.get, "/tasks/\(task)/callbacks")
            let list = try #require(answer.json["response"]?["callbacks"]?.array)
            if let callback = list.first.map({ ListedCallback(json: $0) }), isWanted(callback) { return callback }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
