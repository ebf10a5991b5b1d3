// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import Plumbing
internal import Synchronization

/// The server's clock as far as it is known: S3 refuses what is signed 15 minutes off its own.
///
/// Until the server refuses something for its time it is this machine's clock.
final class S3Clock: Sendable {
    /// A difference that is worth another try; well below what S3 allows.
    private static let tolerance: Duration = .seconds(300)

    private let ahead = Mutex(Duration.zero)

    /// The moment by the server's clock.
    var now: Timestamp { .now + ahead.withLock { $0 } }

    /// Learns from a refusal whose `Date` is far from the moment it was signed at; tells whether it is worth another
    /// try.
    ///
    /// By then another refusal may have set the clock already: it is the request that was signed by a wrong one.
    func learns(from head: TransferHead, signedAt moment: Timestamp) -> Bool {
        // AWS says 403, others 400.
        guard [400, 403].contains(head.status), let date = head["date"].flatMap({ Timestamp(httpDate: $0) }) else {
            return false
        }
        let off = date - moment
        guard max(off, .zero - off) > Self.tolerance else { return false }
        ahead.withLock { $0 = date - .now }
        return true
    }
}
