// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A message as it arrived.
struct Arrival: Sendable {
    let receipt: Receipt
    let body: [UInt8]
    /// Its trace, which jobs of one task share.
    let trace: String?
}
