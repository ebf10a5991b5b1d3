// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import ServiceLifecycle
import Workflow

/// Reads the parts of one job's output as they come, to its end.
struct RunPodClientParts: Sendable {
    /// What a look brought: new parts, and the job once it has ended and no part is left.
    struct Turn: Sendable {
        var parts: [[UInt8]] = []
        var end: JobRecord?
    }

    private let desk: JobDesk
    private let job: JobID
    private var record: JobRecord?
    private var lookedAt = ContinuousClock.now
    private var lease: LeaseID?
    private var cursor: String?

    /// How often it looks for new parts.
    private static let pause: Duration = .milliseconds(50)
    /// How often it looks at a job that waits, or that runs, should the news of its end be lost.
    private static let lookAgain: (waiting: Duration, running: Duration) = (.milliseconds(200), .milliseconds(500))

    init(desk: JobDesk, job: JobID) {
        self.desk = desk
        self.job = job
    }

    /// Waits for new parts or the end, at most `limit`; neither says that the time is over, or that this process stops.
    mutating func next(within limit: Duration) async throws -> Turn {
        let until = ContinuousClock.now + limit
        while true {
            let turn = try await look()
            let isOver = ContinuousClock.now >= until || Task.isShuttingDownGracefully
            if !turn.parts.isEmpty || turn.end != nil || isOver { return turn }
            if try await hearsEnd() { record = nil }
        }
    }

    private mutating func look() async throws -> Turn {
        let record = try await current()
        let stream = RunPodClientStream(results: desk.parts.results)
        if record.job.state.isFinal { await stream.untilComplete(record.job) }
        if record.job.lease != lease {
            lease = record.job.lease
            cursor = nil
        }
        guard let lease else { return Turn(end: record.job.state.isFinal ? record : nil) }
        let (parts, last, isAll) = await stream.read(job, lease, after: cursor)
        cursor = last
        return Turn(parts: parts, end: record.job.state.isFinal && isAll ? record : nil)
    }

    /// The job, read anew now and then.
    private mutating func current() async throws -> JobRecord {
        if let record {
            let pause = record.job.state == .running ? Self.lookAgain.running : Self.lookAgain.waiting
            if record.job.state.isFinal || ContinuousClock.now - lookedAt < pause { return record }
        }
        let record = try await desk.find(job)
        self.record = record
        lookedAt = .now
        return record
    }

    /// Waits a moment; whether the job has ended meanwhile.
    private func hearsEnd() async throws -> Bool {
        let start = ContinuousClock.now
        try await desk.ends.listening(for: job) { try await $0.value(within: Self.pause) }
        return ContinuousClock.now - start < Self.pause
    }
}
