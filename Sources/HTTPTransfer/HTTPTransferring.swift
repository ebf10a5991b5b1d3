// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Sends HTTP requests.
///
/// Redirects are never followed, proxies never used.
public protocol HTTPTransferring: Sendable {
    /// Sends a request and collects the answer.
    func send(_ request: TransferRequest) async throws(TransferError) -> TransferResponse

    /// Sends a request and hands out the answer's body as it arrives, with back-pressure.
    func stream(
        _ request: TransferRequest
    ) async throws(TransferError) -> (head: TransferHead, body: AsyncThrowingStream<[UInt8], any Error>)
}

/// Why a transfer failed.
public struct TransferError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String { case unreachable, timeout, forbidden, tooLarge, invalid, cancelled, closed }
        private let kind: Kind
        /// No connection, or it broke.
        public static let unreachable = Code(kind: .unreachable)
        /// It took too long.
        public static let timeout = Code(kind: .timeout)
        /// The address is one that the network policy refuses.
        public static let forbidden = Code(kind: .forbidden)
        /// The answer has more bytes than the limit.
        public static let tooLarge = Code(kind: .tooLarge)
        /// The URL or a header is wrong.
        public static let invalid = Code(kind: .invalid)
        /// The caller was cancelled.
        public static let cancelled = Code(kind: .cancelled)
        /// The client was closed.
        public static let closed = Code(kind: .closed)
        /// The code in a word.
        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// What went wrong, without secrets.
    public let reason: String

    /// Whether the same request may succeed later.
    public var isRetriable: Bool { code == .unreachable || code == .timeout }

    /// Makes an error.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The code and the reason.
    public var description: String { "transfer \(code): \(reason)" }
}
