// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

/// What is only passed on, as long as the connection is not cut.
extension FaultyLedger {
    func takeCallbacks(apps: [String], limit: Int, hold: Duration) async throws(LedgerError) -> [CallbackRecord] {
        try check()
        return try await inner.takeCallbacks(apps: apps, limit: limit, hold: hold)
    }

    func time() async throws(LedgerError) -> Timestamp {
        try check()
        return try await inner.time()
    }

    func holdCallbacks(_ ids: [MeshID], for hold: Duration) async throws(LedgerError) {
        try check()
        try await inner.holdCallbacks(ids, for: hold)
    }

    func releaseCallbacks(_ held: [HeldCallback]) async throws(LedgerError) {
        try check()
        try await inner.releaseCallbacks(held)
    }

    func record(
        _ attempts: [(attempt: CallbackAttempt, state: CallbackRecord.State, dueIn: Duration?)]
    ) async throws(LedgerError) {
        try check()
        try await inner.record(attempts)
    }

    func callbacks(
        of task: TaskID
    ) async throws(LedgerError) -> [(callback: CallbackRecord, attempts: [CallbackAttempt])] {
        try check()
        return try await inner.callbacks(of: task)
    }

    func replayCallbacks(of task: TaskID) async throws(LedgerError) -> Int {
        try check()
        return try await inner.replayCallbacks(of: task)
    }

    func task(_ id: TaskID) async throws(LedgerError) -> TaskView? {
        try check()
        return try await inner.task(id)
    }

    func jobs(ofTask task: TaskID, limit: Int) async throws(LedgerError) -> [Job] {
        try check()
        return try await inner.jobs(ofTask: task, limit: limit)
    }

    func jobs(_ query: JobQuery) async throws(LedgerError) -> [Job] {
        try check()
        return try await inner.jobs(query)
    }

    func statistics(_ query: JobStatisticsQuery) async throws(LedgerError) -> [JobStatistics] {
        try check()
        return try await inner.statistics(query)
    }

    func jobsAhead(of job: JobID, limit: Int) async throws(LedgerError) -> Int? {
        try check()
        return try await inner.jobsAhead(of: job, limit: limit)
    }

    func timings(ofService service: String, limit: Int) async throws(LedgerError) -> [JobTiming] {
        try check()
        return try await inner.timings(ofService: service, limit: limit)
    }

    func attempts(ofJob job: JobID) async throws(LedgerError) -> [AttemptRecord] {
        try check()
        return try await inner.attempts(ofJob: job)
    }

    func loads(ofUsers users: [String]) async throws(LedgerError) -> [UserLoad] {
        try check()
        return try await inner.loads(ofUsers: users)
    }

    func share(_ tails: [FairTail], services: [String]) async throws(LedgerError) -> FairView {
        try check()
        return try await inner.share(tails, services: services)
    }

    func claim(_ claim: RemoteClaim) async throws(LedgerError) -> [JobRecord] {
        try check()
        return try await inner.claim(claim)
    }

    func renew(
        _ leases: [LeaseProbe],
        for duration: Duration
    ) async throws(LedgerError) -> [LeaseProbe.Standing] {
        try check()
        return try await inner.renew(leases, for: duration)
    }

    func job(_ id: JobID) async throws(LedgerError) -> JobRecord? {
        try check()
        return try await inner.job(id)
    }

    func numbers(_ query: NumbersQuery) async throws(LedgerError) -> [Numbers] {
        try check()
        return try await inner.numbers(query)
    }

    func workers() async throws(LedgerError) -> [WorkerRecord] {
        try check()
        return try await inner.workers()
    }

    func sweep(finishedBefore moment: Timestamp, limit: Int) async throws(LedgerError) -> Int {
        try check()
        return try await inner.sweep(finishedBefore: moment, limit: limit)
    }

    func document(_ name: String) async throws(LedgerError) -> (version: Int, bytes: [UInt8])? {
        try check()
        return try await inner.document(name)
    }

    func write(document name: String, expecting expected: Int, _ bytes: [UInt8]) async throws(LedgerError) -> Bool {
        try check()
        return try await inner.write(document: name, expecting: expected, bytes)
    }

    func created(of services: [String], since moment: Timestamp) async throws(LedgerError) -> [String: Int] {
        try check()
        return try await inner.created(of: services, since: moment)
    }

    func close() async {
        await inner.close()
    }
}
