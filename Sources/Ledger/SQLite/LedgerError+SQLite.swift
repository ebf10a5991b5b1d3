// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import GRDB
import Ledger

extension LedgerError {
    /// Sorts SQLite's result codes (https://www.sqlite.org/rescode.html) into the port's.
    init(wrapping error: any Error) {
        switch error {
        case let error as LedgerError: self = error
        case let error as DatabaseError:
            self.init(Self.code(of: error), "SQLite: \(error.message ?? "") (\(error.extendedResultCode.rawValue))")
        case is CancellationError: self.init(.unavailable, "the call was cancelled")
        default: self.init(.corrupt, "\(error)")
        }
    }

    private static func code(of error: DatabaseError) -> Code {
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: .timeout
        case .SQLITE_ABORT, .SQLITE_INTERRUPT, .SQLITE_CANTOPEN, .SQLITE_IOERR, .SQLITE_FULL,
            .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_NOMEM:
            .unavailable
        case .SQLITE_CORRUPT, .SQLITE_FORMAT, .SQLITE_NOTADB: .corrupt
        default: .misuse
        }
    }
}
