// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Foundation
internal import HTTPTransfer
internal import MediaStore
internal import Plumbing

/// Signed requests to one bucket, tried again when the server stumbles.
struct S3Link: Sendable {
    let settings: S3Settings
    let transfer: any HTTPTransferring
    let signer: S3Signer
    let clock = S3Clock()
    /// How long a request without a large body may take, and a reader wait for bytes, before no new try is made.
    static let patience: Duration = .seconds(30)
    private let tries = 4
    private let backoff = Backoff(base: .milliseconds(100), cap: .seconds(2))

    init(settings: S3Settings, transfer: any HTTPTransferring) {
        self.settings = settings
        self.transfer = transfer
        signer = S3Signer(
            region: settings.region,
            accessKey: settings.accessKey,
            secretKey: settings.secretKey,
            sessionToken: settings.sessionToken
        )
    }

    /// Sends a request until it is answered with something other than a stumble; any other status is no error.
    ///
    /// - Parameters:
    ///   - hash: the SHA-256 of the body when it is known already.
    ///   - timeout: how long one try may take, and after how long no new one begins.
    func send(
        _ method: String,
        key: String?,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil,
        hash: String? = nil,
        timeout: Duration = S3Link.patience,
        isRetried: Bool = true
    ) async throws(MediaError) -> TransferResponse {
        var payload = hash ?? S3Signer.unsignedPayload
        if hash == nil, !settings.address(of: key).isEncrypted || body == nil { payload = Self.sha256(body ?? []) }
        let started = ContinuousClock.now
        var failures = 0
        var hasLearnt = false
        var mayTryAgain: Bool { isRetried && failures + 1 < tries && ContinuousClock.now - started < timeout }
        while true {
            // Signed anew each time, since a signature grows old.
            let moment = clock.now
            let request = signed(method, key, query, headers, body, payload, timeout, at: moment)
            do {
                let answer = try await transfer.send(request)
                if !hasLearnt, clock.learns(from: answer.head, signedAt: moment) {
                    hasLearnt = true
                    continue
                }
                let stumbled = S3Answer.isStumble(status: answer.head.status, body: answer.body)
                guard stumbled, mayTryAgain else { return answer }
            } catch {
                guard error.isRetriable, mayTryAgain else { throw Self.translate(error) }
            }
            failures += 1
            try await pause(afterFailures: failures)
        }
    }

    /// Opens a streamed answer; one try.
    func stream(
        key: String,
        headers: [(name: String, value: String)]
    ) async throws(MediaError) -> (head: TransferHead, body: ByteStream) {
        func get(at moment: Timestamp) -> TransferRequest {
            signed("GET", key, [], headers, nil, Self.sha256([]), Self.patience, at: moment)
        }
        do {
            let moment = clock.now
            let answer = try await transfer.stream(get(at: moment))
            guard clock.learns(from: answer.head, signedAt: moment) else { return answer }
            return try await transfer.stream(get(at: clock.now))
        } catch {
            throw Self.translate(error)
        }
    }

    func pause(afterFailures failures: Int) async throws(MediaError) {
        do {
            try await Task.sleep(for: backoff.delay(afterFailures: failures))
        } catch {
            throw MediaNaming.error(from: error)
        }
    }

    private func signed(
        _ method: String,
        _ key: String?,
        _ query: [(name: String, value: String)],
        _ headers: [(name: String, value: String)],
        _ body: [UInt8]?,
        _ payload: String,
        _ timeout: Duration,
        at moment: Timestamp
    ) -> TransferRequest {
        let address = settings.address(of: key)
        let all = signer.headers(
            method: method,
            path: address.path,
            query: query,
            headers: [("host", address.host)] + headers,
            payloadHash: payload,
            at: moment
        )
        return TransferRequest(
            method,
            address.url(query: S3Signer.encoded(query)),
            headers: all.filter { $0.name != "host" },
            body: body.map { .bytes($0) } ?? .none,
            timeout: timeout,
            answerLimit: 1 << 20
        )
    }

    static func sha256(_ bytes: [UInt8]) -> String {
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return MediaNaming.hexadecimal(hash.finalize())
    }

    static func translate(_ error: TransferError) -> MediaError {
        let code: MediaError.Code = error.code == .invalid || error.code == .forbidden ? .invalid : .unavailable
        return MediaError(code, error.reason)
    }
}
