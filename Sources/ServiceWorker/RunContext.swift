// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import ResultStore
internal import Workflow

/// Passes on what a running handler tells, under its job and lease.
struct RunContext: HandlerContext {
    let results: any ResultStore
    let job: JobID
    let lease: LeaseID
    let timeToLive: Duration

    func progress(_ json: [UInt8]) {
        results.append(json, to: ResultKey(.progress, job, lease: lease), timeToLive: timeToLive)
    }

    func partial(_ json: [UInt8]) {
        results.append(json, to: ResultKey(.partial, job, lease: lease), timeToLive: timeToLive)
    }
}
