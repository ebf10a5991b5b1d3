// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// An HTTP request to send.
public struct TransferRequest: Sendable {
    /// What it carries.
    public enum Body: Sendable {
        /// Nothing.
        case none
        /// These bytes.
        case bytes([UInt8])
        /// Bytes that arrive in chunks, `length` in all when it is known (else the transfer is chunked).
        case stream(AsyncThrowingStream<[UInt8], any Error>, length: Int?)
    }

    /// The method, in upper case.
    public var method: String
    /// The absolute URL, `http` or `https`.
    public var url: String
    /// The headers: name and value.
    public var headers: [(name: String, value: String)]
    /// What it carries.
    public var body: Body
    /// How long the whole may take; for a stream, how long it may stand still.
    public var timeout: Duration
    /// The most bytes of a collected answer; a longer one fails with `tooLarge`.
    public var answerLimit: Int

    /// Makes a request.
    public init(
        _ method: String,
        _ url: String,
        headers: [(name: String, value: String)] = [],
        body: Body = .none,
        timeout: Duration = .seconds(15),
        answerLimit: Int = 1 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.answerLimit = answerLimit
    }
}

/// The head of an HTTP answer.
public struct TransferHead: Sendable {
    /// The status, 200 and so on.
    public var status: Int
    /// The headers, with names in lower case.
    public var headers: [(name: String, value: String)]

    /// Makes a head.
    public init(status: Int, headers: [(name: String, value: String)]) {
        self.status = status
        self.headers = headers
    }

    /// The first header of that name, given in lower case.
    public subscript(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// An HTTP answer with its whole body.
public struct TransferResponse: Sendable {
    /// The head.
    public var head: TransferHead
    /// The body.
    public var body: [UInt8]

    /// Makes an answer.
    public init(head: TransferHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}
