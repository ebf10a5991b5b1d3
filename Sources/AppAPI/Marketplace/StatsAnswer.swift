// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Workflow

/// The numbers as `/stats` tells them.
enum StatsAnswer {
    /// - Parameter user: whose they are; nil lists all users.
    static func json(_ rows: [Numbers], user: String?) -> JSON {
        var answer = totals(rows)
        answer.append(("methods", methods(rows)))
        if let user {
            answer.append(("userId", .string(user)))
        } else {
            let users = Dictionary(grouping: rows, by: \.user).sorted { $0.key < $1.key }
            answer.append(
                (
                    "users",
                    .array(
                        users.map { name, rows in
                            .object(
                                JSONObject(
                                    [("userId", .string(name))] + totals(rows) + [("methods", methods(rows))]
                                )
                            )
                        }
                    )
                )
            )
        }
        return .object(JSONObject(answer))
    }

    private static func totals(_ rows: [Numbers]) -> [(String, JSON)] {
        func sum(_ count: (Numbers) -> Int) -> JSON { .number(JSONNumber(rows.reduce(0) { $0 + count($1) })) }
        return [
            ("numRequestSuccess", sum(\.succeeded)), ("numRequestFailed", sum { $0.failed + $0.timedOut }),
            ("numRequestPending", sum(\.pending)), ("numRequestRunning", sum(\.running)),
            ("numRequestCancelled", sum(\.cancelled)), ("numRequestTimedOut", sum(\.timedOut)),
        ]
    }

    private static func methods(_ rows: [Numbers]) -> JSON {
        let methods = Dictionary(grouping: rows, by: \.method).sorted { $0.key < $1.key }
        return .object(
            JSONObject(
                methods.map { name, rows in
                    // A percentile of several users' numbers can't be told from theirs: it is left out then.
                    let only = rows.count == 1 ? rows.first : nil
                    let duration: JSON = [
                        "p50": only?.p50Milliseconds.map { .number(JSONNumber($0)) } ?? .null,
                        "p95": only?.p95Milliseconds.map { .number(JSONNumber($0)) } ?? .null,
                    ]
                    return (name, .object(JSONObject(totals(rows) + [("durationMs", duration)])))
                }
            )
        )
    }
}
