// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A line of the handlers' journal: what a handler did, written by itself.
struct HandlerMark: Sendable, Hashable {
    /// What happened.
    enum Kind: String, Sendable, Hashable {
        /// The handler was called.
        case began
        /// It returned `answer`.
        case answered
        /// It raised a failure that may be tried again.
        case failed
        /// It raised a failure that is final.
        case refused
        /// It noticed that its job is cancelled.
        case stopped
        /// It goes on without asking whether its job is cancelled: how long one ran that was killed.
        case alive
    }

    let kind: Kind
    /// Seconds since 1970.
    let at: Double
    let key: String
    let stage: String
    /// The index in a fan-out; nil outside one.
    let item: Int?
    let job: String
    /// The claim that this call belongs to.
    let attempt: Int
    /// Made afresh for each call of a handler; the answer carries it, so that a result names the call it came from.
    let nonce: String
    /// The answer, or the error; null for `began`.
    let answer: JSON
    /// The process id of the handler.
    let process: Int
    /// The role whose handler this is, such as `worker-1`; nil where its folders do not tell.
    let worker: String?
}
