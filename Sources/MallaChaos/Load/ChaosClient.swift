// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Plumbing
internal import Synchronization
internal import Workflow

/// A client of the mesh's App APIs that writes down every call.
final class ChaosClient: Sendable {
    /// Whom a call is for and what about.
    struct Subject: Sendable {
        let kind: ClientCall.Kind
        var key = ""
        var task: String?
        let user: String
    }

    private let apis: [String]
    private let token: String
    private let timeout: Duration
    private let transfer: CurlTransfer
    private let recorded = Mutex<[ClientCall]>([])

    /// Makes a client of some App APIs, each given as `http://host:port`.
    ///
    /// - Parameters:
    ///   - token: the `MARKETPLACE_TOKEN`.
    ///   - timeout: after so long without an answer a call has none.
    init(apis: [String], token: String, timeout: Duration = .seconds(5)) {
        self.apis = apis
        self.token = token
        self.timeout = timeout
        transfer = CurlTransfer(settings: TransferSettings(connectionsPerHost: 0))
    }

    /// Closes its connections.
    func close() async { await transfer.close() }

    /// The calls so far, by the time of their ends.
    var calls: [ClientCall] { recorded.withLock { $0 } }

    /// Calls one of the App APIs, once.
    ///
    /// - Parameter api: which one; counted round.
    func call(
        _ subject: Subject,
        _ method: String,
        _ path: String,
        body: JSON? = nil,
        requestID: String? = nil,
        api: Int
    ) async -> ClientCall {
        var headers = [
            (name: "x-marketplace-token", value: token), (name: "x-user-id", value: subject.user),
            (name: "x-user-role", value: "user"), (name: "content-type", value: "application/json"),
        ]
        if let requestID { headers.append((name: "x-request-id", value: requestID)) }
        let request = TransferRequest(
            method,
            apis[api % apis.count] + path,
            headers: headers,
            body: body.map { .bytes($0.bytes) } ?? .none,
            timeout: timeout,
            answerLimit: 16 << 20
        )
        let began = Self.now
        let answer = try? await transfer.send(request)
        let call = ClientCall(
            kind: subject.kind,
            key: subject.key,
            task: subject.task,
            began: began,
            ended: Self.now,
            status: answer?.head.status,
            answer: answer.flatMap { try? JSON(parsing: $0.body) } ?? JSON.null,
            api: Role.allCases.filter { $0.kind == .appAPI }.dropFirst(api % apis.count).first
        )
        recorded.withLock { $0.append(call) }
        return call
    }

    /// Calls until there is an answer that is no excuse (429, 5xx), now here, now there, until the limit.
    ///
    /// - Returns: the last call.
    func insist(
        _ subject: Subject,
        _ method: String,
        _ path: String,
        body: JSON? = nil,
        requestID: String? = nil,
        api: Int,
        until limit: ContinuousClock.Instant
    ) async -> ClientCall {
        var tries = 0
        while true {
            let last = await call(subject, method, path, body: body, requestID: requestID, api: api + tries)
            guard last.isExcuse, ContinuousClock.now < limit, !Task.isCancelled else { return last }
            tries += 1
            // Cancellation is seen by the next turn.
            try? await Task.sleep(for: .milliseconds(min(100 << min(tries, 4), 1000)))
        }
    }

    /// Uploads an original and returns its reference; nil when that did not go well.
    func upload(_ original: PlannedOriginal) async -> String? {
        let subject = Subject(kind: .upload, user: original.user)
        let path = "/upload?s3_key=\(original.name)"
        let answer = await insist(subject, "POST", path, api: 0, until: .now + .seconds(20)).answer["data"]
        guard let url = answer?["presignedUrl"]?.string, let reference = answer?["reference"]?.string else {
            return nil
        }
        let put = TransferRequest(
            "PUT",
            url,
            headers: [("content-type", "application/octet-stream")],
            body: .bytes(original.bytes)
        )
        for _ in 0..<5 {
            if let status = try? await transfer.send(put).head.status, (200..<300).contains(status) { return reference }
        }
        return nil
    }

    /// The hash of an original as it is now; nil when it can't be had.
    func hash(of original: PlannedOriginal, at reference: String) async -> String? {
        let subject = Subject(kind: .download, user: original.user)
        let path = "/download?s3_key=\(reference)"
        let answer = await insist(subject, "GET", path, api: 1, until: .now + .seconds(20)).answer["data"]
        guard let url = answer?["url"]?.string else { return nil }
        for _ in 0..<5 {
            if let got = try? await transfer.send(TransferRequest("GET", url)), got.head.status == 200 {
                return PlannedOriginal.hash(got.body)
            }
        }
        return nil
    }

    /// Seconds since 1970.
    static var now: Double { Double(Timestamp.now.microseconds) / 1_000_000 }
}
