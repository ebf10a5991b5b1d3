// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Workflow

/// The numbers as `/stats` tells them.
struct StatsAnswer {
    /// A method's numbers by the name that it has here: `app/method` where several of the apps have one of that name.
    private typealias Method = (name: String, numbers: Numbers)

    /// By the bytes of the users, as the ledger's rows; nil has those of all users together.
    private let users: [[UInt8]?: [Method]]

    /// Takes the numbers of each app, also of methods that it no longer has.
    init(_ apps: [(app: AppDefinition, numbers: [Numbers])]) {
        let having = apps.flatMap { app, numbers in Set(app.methods.keys).union(numbers.map(\.method)) }
            .reduce(into: [:]) { $0[$1, default: 0] += 1 }
        let methods = apps.flatMap { app, numbers in
            numbers.map { Method(having[$0.method] == 1 ? $0.method : "\(app.name)/\($0.method)", $0) }
        }
        users = Dictionary(grouping: methods.sorted { $0.name < $1.name }) { $0.numbers.user.map { Array($0.utf8) } }
    }

    /// The answer as JSON.
    ///
    /// - Parameter user: whose they are; nil lists all users.
    func json(of user: String?) -> JSON {
        var answer = Self.members(users[user.map { Array($0.utf8) }] ?? [])
        if let user {
            answer.append(("userId", .string(user)))
        } else {
            let named = users.values.compactMap { methods in methods[0].numbers.user.map { ($0, methods) } }
            let each = named.sorted { $0.0 < $1.0 }.map { user, methods in
                JSON.object(JSONObject([("userId", .string(user))] + Self.members(methods)))
            }
            answer.append(("users", .array(each)))
        }
        return .object(JSONObject(answer))
    }

    private static func members(_ methods: [Method]) -> [(String, JSON)] {
        let each = methods.map { name, numbers -> (String, JSON) in
            let duration: JSON = [
                "p50": numbers.p50Milliseconds.map { .number(JSONNumber($0)) } ?? .null,
                "p95": numbers.p95Milliseconds.map { .number(JSONNumber($0)) } ?? .null,
            ]
            return (name, .object(JSONObject(totals([numbers]) + [("durationMs", duration)])))
        }
        return totals(methods.map(\.numbers)) + [("methods", .object(JSONObject(each)))]
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
