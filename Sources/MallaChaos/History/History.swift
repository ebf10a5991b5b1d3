// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// All that is known of a run afterwards.
struct History: Sendable {
    let seed: UInt64
    /// When the run began, and when its last task had ended and its faults were healed; seconds since 1970.
    let began: Double
    let ended: Double
    var tasks: [PlannedTask]
    var calls: [ClientCall]
    var marks: [HandlerMark]
    var callbacks: [CallbackArrival]
    var faults: [FaultRecord]
    var rows: LedgerRows
    /// `POST /stats` of each user of the run, at the end.
    var statistics: [String: JSON]
    /// SHA-256 of every original that was uploaded, as sent and as it is now; nil now when it is gone.
    var originals: [String: String?]
    var leftovers: Leftovers
}
