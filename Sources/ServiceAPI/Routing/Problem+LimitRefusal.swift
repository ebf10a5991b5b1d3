// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import HTTPTypes
import Workflow

extension Problem {
    /// A request that a limit refuses.
    init(_ refusal: LimitRefusal) {
        self.init(.tooManyRequests, refusal.description, retryAfter: refusal.retryAfter)
        members = [("limit", .string(refusal.limit))]
    }
}
