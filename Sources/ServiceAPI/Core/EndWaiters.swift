// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization
import Workflow

/// Calls that wait for jobs to end: `runsync`, `status-sync`, event streams.
final class EndWaiters: Sendable {
    private let waiters = Mutex<[JobID: [OneShot<Void>]]>([:])

    /// The jobs that are waited for.
    var count: Int { waiters.withLock { $0.count } }

    /// Says that jobs have reached their final state; heard here or told by another API.
    func ended(_ jobs: [JobID]) {
        let found = waiters.withLock { waiters in jobs.flatMap { waiters.removeValue(forKey: $0) ?? [] } }
        for waiter in found { waiter.finish(.success(())) }
    }

    /// Listens for the end of a job from now on, while `body` runs: look first, then wait on what it is given.
    func listening<Value>(for job: JobID, _ body: (OneShot<Void>) async throws -> Value) async throws -> Value {
        let waiter = OneShot<Void>()
        waiters.withLock { $0[job, default: []].append(waiter) }
        defer {
            waiters.withLock { waiters in
                waiters[job]?.removeAll { $0 === waiter }
                if waiters[job]?.isEmpty == true { waiters[job] = nil }
            }
        }
        return try await body(waiter)
    }
}
