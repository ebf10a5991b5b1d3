// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A fault as it went.
struct FaultRecord: Sendable, Hashable {
    let fault: Fault
    /// When it began, seconds since 1970.
    let began: Double
    /// When it was taken back, or its target had been started again; seconds since 1970.
    let ended: Double
}
