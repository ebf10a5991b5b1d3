// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// A completion whose result lies in the media store and must be fetched before it is settled.
struct LargeCompletion: Sendable {
    let receipt: Receipt
    let completion: Completion
    let stored: Completion.StoredResult
}
