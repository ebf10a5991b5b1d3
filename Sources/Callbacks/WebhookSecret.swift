// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A signing secret in the form of Standard Webhooks 1.0: `whsec_` and base64.
public struct WebhookSecret: Sendable {
    private let key: SymmetricKey

    /// Reads a secret; nil when it is not base64 of at least 16 bytes.
    ///
    /// The prefix may be left out.
    public init?(_ text: String) {
        let encoded = text.hasPrefix("whsec_") ? String(text.dropFirst(6)) : text
        guard let bytes = Data(base64Encoded: encoded), bytes.count >= 16 else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// Signs what is sent: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.
    ///
    /// - Parameter timestamp: seconds since 1970.
    public func sign(id: String, timestamp: Int64, body: [UInt8]) -> String {
        var code = HMAC<SHA256>(key: key)
        code.update(data: Data("\(id).\(timestamp).".utf8))
        code.update(data: body)
        return "v1,\(Data(code.finalize()).base64EncodedString())"
    }
}
