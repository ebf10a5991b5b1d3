// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// A message as it arrived.
struct Arrival: Sendable {
    let receipt: Receipt
    let body: [UInt8]
    /// The task whose run it is about; nil when it is about none, or does not tell.
    let task: TaskID?

    init(receipt: Receipt, body: [UInt8]) {
        (self.receipt, self.body) = (receipt, body)
        task = Completion.task(ofBody: body)
    }
}
