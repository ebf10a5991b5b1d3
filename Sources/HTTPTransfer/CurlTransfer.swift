// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Sends HTTP requests with libcurl: one thread, kept connections, no redirects, no proxies.
///
/// Requests to untrusted targets need a client of their own, because connections are shared within a client.
public final class CurlTransfer: HTTPTransferring {
    private let engine: CurlEngine

    /// Starts the client's thread.
    public init(settings: TransferSettings = TransferSettings()) {
        engine = CurlEngine(settings: settings)
    }

    deinit {
        let engine = self.engine
        Task { await engine.close() }
    }

    /// Ends all requests with `closed`, closes the connections and refuses further requests.
    public func close() async {
        await engine.close()
    }

    /// Sends a request and collects the answer.
    ///
    /// - Throws: `timeout`, `unreachable`, `forbidden`, `tooLarge`, `invalid`, `cancelled` or `closed`. An answer
    ///   with any status is no error.
    public func send(_ request: TransferRequest) async throws(TransferError) -> TransferResponse {
        do {
            return try await engine.send(request)
        } catch {
            throw Self.translate(error)
        }
    }

    /// Sends a request and hands out the answer's body as it arrives; at most 512 KiB of it wait for the reader.
    ///
    /// The request's timeout says how long the transfer may stand still, rounded up to whole seconds. Dropping the
    /// body, or cancelling its reader, breaks the transfer off. The body throws ``TransferError``.
    public func stream(
        _ request: TransferRequest
    ) async throws(TransferError) -> (head: TransferHead, body: AsyncThrowingStream<[UInt8], any Error>) {
        do {
            let (id, head, flow) = try await engine.open(request)
            let reader = BodyReader(engine: engine, id: id, flow: flow)
            return (head, AsyncThrowingStream { try await reader.next() })
        } catch {
            throw Self.translate(error)
        }
    }

    static func translate(_ error: any Error) -> TransferError {
        if let error = error as? TransferError { return error }
        if error is CancellationError { return TransferError(.cancelled, "the caller was cancelled") }
        return TransferError(.unreachable, "\(error)")
    }
}
