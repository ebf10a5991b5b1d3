// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Testing

@testable import LedgerPostgres

/// What the server's codes mean for a caller (PostgreSQL manual, appendix A): only what passes is tried again.
@Suite struct PostgresCodeTests {
    @Test(arguments: [
        ("40001", LedgerError.Code.conflict), ("40P01", .conflict), ("57014", .timeout), ("55P03", .timeout),
        ("08006", .unavailable), ("57P01", .unavailable), ("53300", .unavailable), ("", .unavailable),
        // A standby, and a disk that does not answer.
        ("25006", .unavailable), ("58030", .unavailable),
        // An internal error, as when the cache of a server's connection is out of date.
        ("XX000", .unavailable),
        // A page that is broken stays so: its statement must fail alone.
        ("XX001", .misuse), ("22P02", .misuse), ("23505", .misuse), ("42P01", .misuse),
    ])
    func aCodeTellsWhetherToTryAgain(state: String, code: LedgerError.Code) {
        #expect(LedgerError(sqlState: state, message: "m", in: nil).code == code)
    }

    @Test func aRaceThatAStatementNamesIsTriedAgain() {
        let racy = PostgresStatement("racy", "SELECT 1", race: "22P02")
        #expect(LedgerError(sqlState: "22P02", message: "m", in: racy).code == .conflict)
        #expect(LedgerError(sqlState: "23505", message: "m", in: racy).code == .misuse)
        let plain = PostgresStatement("plain", "SELECT 1")
        #expect(LedgerError(sqlState: "22P02", message: "m", in: plain).code == .misuse)
        #expect(LedgerError(sqlState: "", message: "m", in: plain).code == .unavailable)
    }
}
