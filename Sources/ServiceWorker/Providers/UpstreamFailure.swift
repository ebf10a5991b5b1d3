// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Plumbing
internal import Workflow

/// Why a call of an upstream failed, and what that means for the next one.
struct UpstreamFailure: Error, Sendable, Hashable {
    /// What it means.
    enum Kind: Sendable, Hashable {
        /// It may work later, and now elsewhere: no connection, too late, overloaded, broken or unreadable.
        case passing
        /// This upstream will not do it, another one may: wrong key, no credit, no such model or call.
        case refused
        /// The upstream finds fault with the input; every other one would.
        case input
    }

    let kind: Kind
    /// What went wrong, for a person; without secrets.
    let message: String
    /// The status that was answered, when one was.
    let status: Int?

    init(_ kind: Kind, _ message: String, status: Int? = nil) {
        self.kind = kind
        self.message = message
        self.status = status
    }

    /// No answer within the time limit.
    static func tooLong(_ limit: Duration) -> UpstreamFailure {
        UpstreamFailure(.passing, "it took longer than \(Quantity.text(limit))")
    }

    /// An answer that can't be what was asked for.
    static func unreadable(_ message: String) -> UpstreamFailure { UpstreamFailure(.passing, message) }

    /// Says what any error of a call means.
    init(_ error: any Error) {
        switch error {
        case let failure as UpstreamFailure: self = failure
        case let transfer as TransferError where transfer.code == .invalid || transfer.code == .forbidden:
            self.init(.refused, transfer.reason)
        case let transfer as TransferError: self.init(.passing, transfer.reason)
        default: self.init(.passing, "\(error)")
        }
    }

    /// Says what an answer means whose status is not of the kind 2xx.
    init(status: Int, contentType: String?, body: [UInt8], from upstream: Upstream) {
        let kind: Kind =
            switch status {
            case 400, 413, 415, 422: .input
            case 408, 409, 425, 429, 500...: .passing
            default: .refused
            }
        let words = Self.words(body, contentType: contentType).map { ": " + upstream.withoutKey($0) } ?? ""
        self.init(kind, "it answered \(status)\(words)", status: status)
    }

    /// What an upstream says that went wrong, when it says so in one of the usual forms.
    static func words(_ body: [UInt8], contentType: String?) -> String? {
        if let json = try? JSON(parsing: body), let words = words(json) { return words }
        guard contentType?.hasPrefix("text/plain") == true else { return nil }
        let text = String(decoding: body.prefix(2000), as: UTF8.self)
        return clean(text)
    }

    /// What a JSON answer says that went wrong: `error.message`, `error`, `detail` (FastAPI) or `message`.
    static func words(_ json: JSON) -> String? {
        let detail = json["detail"]?.array?.first?["msg"] ?? json["detail"]
        let candidates = [json["error"]?["message"], json["error"], detail, json["message"]]
        return candidates.lazy.compactMap { $0?.string }.compactMap(clean).first
    }

    private static func clean(_ text: String) -> String? {
        let line = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.isEmpty ? nil : String(line.prefix(500))
    }
}

extension JobError {
    /// The end of a job whose upstreams all failed: worth another try when one of them may work later.
    init(exhausted failures: [(name: String, failure: UpstreamFailure)]) {
        let words = failures.map { "\($0.name): \($0.failure.message)" }.joined(separator: "; ")
        if !failures.isEmpty, failures.allSatisfy({ $0.failure.kind == .input }) {
            self.init(.invalidInput, words)
        } else {
            self.init(.provider, words, isFinal: !failures.contains { $0.failure.kind == .passing })
        }
    }
}
