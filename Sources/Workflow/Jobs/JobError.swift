// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Why a job failed: the category that decides what happens next, and words for a person.
public struct JobError: Error, Sendable, Hashable, Codable {
    /// The kind of failure, in the words of the job contract.
    public enum Category: String, Sendable, Hashable, Codable, CaseIterable {
        /// The input is wrong; trying again can't help.
        case invalidInput = "invalid_input"
        /// The handler failed.
        case handler
        /// A time limit passed.
        case timeout
        /// An upstream provider failed.
        case provider
        /// The job killed its handler or its workers too often.
        case poison
        /// Someone cancelled it.
        case cancelled
        /// The mesh itself failed.
        case `internal`
    }

    /// The kind of failure.
    public var category: Category
    /// What went wrong, for a person; never a secret.
    public var message: String
    /// Whether trying again is pointless.
    public var isFinal: Bool
    /// The field of the input that is wrong, as a JSON Pointer, when one is to blame.
    public var field: String?

    /// Makes an error; one about the input is final unless said otherwise.
    public init(_ category: Category, _ message: String, isFinal: Bool? = nil, field: String? = nil) {
        self.category = category
        self.message = message
        self.isFinal = isFinal ?? (category == .invalidInput || category == .poison || category == .cancelled)
        self.field = field
    }
}
