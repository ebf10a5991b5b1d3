// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// A job with its input and result, as the ledger stores it.
public struct JobRecord: Sendable {
    /// All but the payloads.
    public var job: Job
    /// The input as JSON.
    public var input: [UInt8]
    /// The result as JSON, once it succeeded.
    public var result: [UInt8]?
    /// What is known of its use, as JSON.
    public var usage: [UInt8]?

    /// Makes a record.
    public init(job: Job, input: [UInt8], result: [UInt8]? = nil, usage: [UInt8]? = nil) {
        self.job = job
        self.input = input
        self.result = result
        self.usage = usage
    }
}
