// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import ResultStore
internal import Synchronization
internal import Workflow

/// Passes on what a running handler tells, under its job and lease, and adds up what it used.
final class RunContext: HandlerContext {
    private let results: any ResultStore
    private let job: JobID
    private let lease: LeaseID
    private let timeToLive: Duration
    private let sum = Mutex(JobUsage())

    init(results: any ResultStore, job: JobID, lease: LeaseID, timeToLive: Duration) {
        self.results = results
        self.job = job
        self.lease = lease
        self.timeToLive = timeToLive
    }

    /// What the handler said that it used.
    var used: JobUsage { sum.withLock { $0 } }

    func progress(_ json: [UInt8]) {
        results.put([(ResultKey(.progress, job, lease: lease), json)], timeToLive: timeToLive)
        tell(.progress, json)
    }

    func partial(_ json: [UInt8]) { tell(.partial, json) }

    func log(_ line: String) { tell(.log, JSON.string(line).bytes) }

    func usage(_ usage: JobUsage) { sum.withLock { $0 = $0 + usage } }

    private func tell(_ kind: HandlerEvent.Kind, _ json: [UInt8]) {
        let event = HandlerEvent(kind, json)
        results.append(event.bytes, to: ResultKey(.events, job, lease: lease), timeToLive: timeToLive)
    }
}
