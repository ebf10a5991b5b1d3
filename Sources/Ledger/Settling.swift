// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// Judges the settlements of one transaction: pure, shared by both ledgers, so that there is one truth.
///
/// The ledger locks the rows and makes one of these; calls ``next()``, supplies what it needs until it gets the
/// writes; writes them and commits.
public struct Settling {
    /// What to do next.
    public enum Step {
        /// Read these and call the supply methods, then ask again.
        case needs(Needs)
        /// Write this and commit.
        case write(SettleWrites)
    }

    /// What has to be read.
    public struct Needs {
        /// Hashes of definitions.
        public var definitions: Set<String> = []
        /// Stages whose jobs' results and errors are needed: final jobs only, in any order.
        public var outputs: [(task: TaskID, stage: Int)] = []
    }

    init() {}
}
