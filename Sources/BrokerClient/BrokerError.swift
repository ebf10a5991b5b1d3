// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a broker call failed.
public struct BrokerError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String { case unavailable, timeout, unroutable, overflow, refused, misuse }
        private let kind: Kind
        /// The broker can't be reached, or the connection broke or was closed.
        public static let unavailable = Code(kind: .unavailable)
        /// The deadline passed; the message may or may not be there.
        public static let timeout = Code(kind: .timeout)
        /// There is no such queue.
        public static let unroutable = Code(kind: .unroutable)
        /// Too much waits to be published already.
        public static let overflow = Code(kind: .overflow)
        /// The broker refused it: credentials, permissions, a queue with other properties, a nack.
        public static let refused = Code(kind: .refused)
        /// The call is wrong: a fault of the program.
        public static let misuse = Code(kind: .misuse)
        /// The code in a word.
        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// What went wrong, without secrets.
    public let reason: String

    /// Whether the same call may succeed later.
    public var isRetriable: Bool { code == .unavailable || code == .timeout || code == .overflow }

    /// Makes an error.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The code and the reason.
    public var description: String { "broker \(code): \(reason)" }
}
