// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Workflow

/// The numbers as `/stats` tells them.
struct StatsAnswer {
    /// Each method's numbers by the name that it has here: `app/method` where several of the apps have one of that name.
    private var methods: [(name: String, numbers: Numbers)] = []

    /// Takes the numbers of each app, also of methods that it no longer has.
    init(_ apps: [(app: AppDefinition, numbers: [Numbers])]) {
        let having = apps.flatMap { app, numbers in Set(app.methods.keys).union(numbers.map(\.method)) }
            .reduce(into: [:]) { $0[$1, default: 0] += 1 }
        for (app, numbers) in apps {
            methods += numbers.map { (having[$0.method] == 1 ? $0.method : "\(app.name)/\($0.method)", $0) }
        }
        methods.sort { $0.name < $1.name }
    }

    /// The answer as JSON.
    ///
    /// - Parameter user: whose they are; nil lists all users.
    func json(of user: String?) -> JSON {
        var answer = members(of: user)
        if let user {
            answer.append(("userId", .string(user)))
        } else {
            let users = Set(methods.compactMap(\.numbers.user)).sorted()
            let each = users.map { JSON.object(JSONObject([("userId", .string($0))] + members(of: $0))) }
            answer.append(("users", .array(each)))
        }
        return .object(JSONObject(answer))
    }

    private func members(of user: String?) -> [(String, JSON)] {
        let methods = methods.filter { $0.numbers.user == user }
        let each = methods.map { name, numbers -> (String, JSON) in
            let duration: JSON = [
                "p50": numbers.p50Milliseconds.map { .number(JSONNumber($0)) } ?? .null,
                "p95": numbers.p95Milliseconds.map { .number(JSONNumber($0)) } ?? .null,
            ]
            return (name, .object(JSONObject(Self.totals([numbers]) + [("durationMs", duration)])))
        }
        return Self.totals(methods.map(\.numbers)) + [("methods", .object(JSONObject(each)))]
    }

    private static func totals(_ rows: [Numbers]) -> [(String, JSON)] {
        func sum(_ count: (Numbers) -> Int) -> JSON { .number(JSONNumber(rows.reduce(0) { $0 + count($1) })) }
        return [
            ("numRequestSuccess", sum(\.succeeded)), ("numRequestFailed", sum { $0.failed + $0.timedOut }),
            ("numRequestPending", sum(\.pending)), ("numRequestRunning", sum(\.running)),
            ("numRequestCancelled", sum(\.cancelled)), ("numRequestTimedOut", sum(\.timedOut)),
        ]
    }
}
