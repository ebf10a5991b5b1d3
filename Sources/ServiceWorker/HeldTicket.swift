// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient

/// A ticket that a worker holds, or what is left of it here.
struct HeldTicket {
    var tag: DeliveryTag
    /// For how many jobs it still is, here.
    var count: Int
    /// Whether nothing of it was claimed or given away.
    var isWhole = true
    var since: ContinuousClock.Instant

    mutating func reduce(by part: Int) {
        count -= part
        isWhole = false
    }
}

extension [HeldTicket] {
    /// For how many jobs they are together.
    var jobs: Int { reduce(0) { $0 + $1.count } }
}
