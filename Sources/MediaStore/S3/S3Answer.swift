// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Foundation
internal import HTTPTransfer
internal import MediaStore

/// What S3 says in XML and status codes.
enum S3Answer {
    /// The text of the first element of that name, without entities.
    static func element(_ name: String, in body: [UInt8]) -> String? {
        let text = String(decoding: body, as: UTF8.self)
        guard let open = text.range(of: "<\(name)>"),
            let close = text.range(of: "</\(name)>", range: open.upperBound..<text.endIndex)
        else { return nil }
        return [("&quot;", "\""), ("&#34;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&apos;", "'"), ("&amp;", "&")]
            .reduce(String(text[open.upperBound..<close.lowerBound])) {
                $0.replacingOccurrences(of: $1.0, with: $1.1)
            }
    }

    /// The error behind an answer that is not a success.
    static func error(status: Int, body: [UInt8], key: String?) -> MediaError {
        let code = element("Code", in: body)
        let words = [code, element("Message", in: body)].compactMap { $0 }.joined(separator: ": ")
        let reason = "S3 answered \(status)" + (words.isEmpty ? "" : " (\(words.prefix(300)))")
        switch (code, status) {
        case ("NoSuchBucket", _): return MediaError(.refused, reason)
        case ("NoSuchUpload", _): return MediaError(.unavailable, reason)
        case ("NoSuchKey", _), (_, 404): return MediaError(.notFound, "\(key ?? "the bucket"): \(reason)")
        case ("EntityTooLarge", _), (_, 413): return MediaError(.tooLarge, reason)
        case (.some(let code), _) where passing.contains(code): return MediaError(.unavailable, reason)
        case (_, 501): return MediaError(.invalid, reason)
        case (_, 408), (_, 409), (_, 429), (_, 500...):
            return MediaError(.unavailable, reason)
        case (_, 401), (_, 403): return MediaError(.refused, reason)
        default: return MediaError(.invalid, reason)
        }
    }

    /// Tells whether the same request may well succeed in a moment.
    static func isStumble(status: Int, body: [UInt8]) -> Bool {
        // S3 may begin to answer a long call with 200 and find out later that it failed.
        guard !isSuccess(status) || body.prefix(1024).contains(0x3C) else { return false }
        let code = element("Code", in: body) ?? ""
        return passing.contains(code) || status == 408 || status == 429 || (status >= 500 && status != 501)
    }

    private static let passing: Set<String> = [
        "SlowDown", "InternalError", "RequestTimeout", "ServiceUnavailable", "OperationAborted",
        "ConditionalRequestConflict", "Throttling", "ThrottlingException", "TooManyRequests",
    ]

    static func isSuccess(_ status: Int) -> Bool { (200..<300).contains(status) }
}
