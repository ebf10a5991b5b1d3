// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What the jobs of a finished stage returned, as far as references need it.
public struct StageOutput: Sendable, Hashable {
    /// One job's end: its item, and its result as JSON or its error.
    public struct Entry: Sendable, Hashable {
        /// The position in the fan-out, or nil.
        public var item: Int?
        /// The result as JSON, or why there is none.
        public var outcome: Result<[UInt8], JobError>

        /// Makes an entry.
        public init(item: Int?, outcome: Result<[UInt8], JobError>) {
            self.item = item
            self.outcome = outcome
        }
    }

    /// The entries in any order, at most one per item; items without one (cancelled) count as null.
    public var entries: [Entry]

    /// Makes an output.
    public init(entries: [Entry]) {
        self.entries = entries
    }
}
