// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a ledger call failed.
public struct LedgerError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String { case unavailable, timeout, conflict, corrupt, misuse }
        private let kind: Kind
        /// The database can't be reached, or the connection broke.
        public static let unavailable = Code(kind: .unavailable)
        /// The statement took too long.
        public static let timeout = Code(kind: .timeout)
        /// A deadlock or a serialization failure; the transaction was rolled back.
        public static let conflict = Code(kind: .conflict)
        /// Stored bytes can't be read.
        public static let corrupt = Code(kind: .corrupt)
        /// The statement itself is wrong: a fault of the program.
        public static let misuse = Code(kind: .misuse)
        /// The code in a word.
        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// What went wrong, without secrets.
    public let reason: String

    /// Whether the same call may succeed later.
    public var isRetriable: Bool { code == .unavailable || code == .timeout || code == .conflict }

    /// Makes an error.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The code and the reason.
    public var description: String { "ledger \(code): \(reason)" }
}
