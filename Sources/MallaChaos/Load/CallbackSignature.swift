// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Checks signatures of Standard Webhooks 1.0, with code of its own: what signs must not say whether it signed well.
struct CallbackSignature: Sendable {
    private let keys: [SymmetricKey]

    /// Reads secrets such as `whsec_...`; those that are no base64 are left out.
    init(secrets: [String]) {
        keys = secrets.compactMap { secret in
            let text = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
            return Data(base64Encoded: text).map { SymmetricKey(data: $0) }
        }
    }

    /// How far the signed time may be from the receiver's, seconds: what Standard Webhooks advises.
    static let tolerance = 300.0

    /// Whether one of the given signatures is that of one of the secrets, and the signed time is about now.
    ///
    /// A mesh with several clocks, of which some jump here, must not sign a wrong time: receivers would refuse it.
    /// - Parameter now: the receiver's time, seconds since 1970.
    func isRight(id: String, timestamp: String, signatures: String, body: [UInt8], at now: Double) -> Bool {
        guard let time = Int64(timestamp), abs(Double(time) - now) <= Self.tolerance else { return false }
        let given = signatures.split(separator: " ").compactMap { signature -> Data? in
            guard signature.hasPrefix("v1,") else { return nil }
            return Data(base64Encoded: String(signature.dropFirst(3)))
        }
        let signed = Data("\(id).\(timestamp).".utf8) + body
        return keys.contains { key in
            given.contains { HMAC<SHA256>.isValidAuthenticationCode($0, authenticating: signed, using: key) }
        }
    }
}
