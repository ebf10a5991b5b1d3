// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing

/// The calls of one round trip that are under way, and what came back so far.
struct PostgresGroup {
    /// What a result belongs to.
    enum Step {
        case prepare(PostgresStatement)
        case execute(PostgresStatement)

        var statement: PostgresStatement {
            switch self {
            case .prepare(let statement), .execute(let statement): statement
            }
        }
    }

    var steps: [Step] = []
    var next = 0
    var rows: [PostgresRows] = []
    var error: LedgerError?
    let answer = OneShot<[PostgresRows]>()
    let deadline: ContinuousClock.Instant

    init(deadline: ContinuousClock.Instant) {
        self.deadline = deadline
    }

    /// The step that the next result belongs to.
    var step: Step? { next < steps.count ? steps[next] : nil }

    /// Answers the caller.
    func finish() {
        if let error {
            answer.finish(.failure(error))
        } else {
            answer.finish(.success(rows))
        }
    }
}

extension LedgerError {
    /// Turns the server's answer into the port's kinds; see the PostgreSQL manual, appendix A.
    init(sqlState: String, message: String, in statement: PostgresStatement?) {
        let code: Code =
            switch sqlState {
            case "40P01", "40001": .conflict
            // A statement that another group's failure left unprepared: the next try prepares it.
            case "26000": .conflict
            case statement?.race: .conflict
            case "57014", "55P03", "25P03": .timeout
            case "": .unavailable
            // A standby that nobody has told yet to take over.
            case "25006": .unavailable
            // No statement's fault but the server's: connection, shutdown, resources, system.
            default: ["08", "57P", "53", "58", "XX000"].contains { sqlState.hasPrefix($0) } ? .unavailable : .misuse
            }
        let place = statement.map { $0.name.isEmpty ? "" : " in \($0.name)" } ?? ""
        self.init(code, sqlState.isEmpty ? message : "\(sqlState)\(place): \(message)")
    }
}
