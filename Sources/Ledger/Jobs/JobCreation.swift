// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// What became of a direct job that was to be created.
public enum JobCreation: Sendable, Hashable {
    /// It was stored.
    case created
    /// The same owner has a job with the same dedup key already.
    case existing(JobID)
}
