// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// A worker's row: who it is and what it does, renewed every 2 s.
public struct WorkerBeat: Sendable {
    /// The worker's id: its name plus a boot UUID.
    public var worker: String
    /// The worker's name alone.
    public var name: String
    /// The services it takes jobs of.
    public var services: [String]
    /// How many jobs it can run at once.
    public var slots: Int
    /// How many it runs.
    public var running: Int
    /// Whether it drains: takes nothing new.
    public var isDraining: Bool
    /// Whether it holds its jobs by time and speaks HTTP, instead of beating and taking tickets.
    public var isRemote = false
    /// The last trouble of its handlers, as JSON, for whoever asks why; nil when there is none.
    public var trouble: [UInt8]?

    /// Makes a beat.
    public init(
        worker: String,
        name: String,
        services: [String],
        slots: Int,
        running: Int,
        isDraining: Bool,
        isRemote: Bool = false,
        trouble: [UInt8]? = nil
    ) {
        self.worker = worker
        self.name = name
        self.services = services
        self.slots = slots
        self.running = running
        self.isDraining = isDraining
        self.isRemote = isRemote
        self.trouble = trouble
    }
}

/// A lease whose state a beat asks for.
public struct LeaseProbe: Sendable, Hashable {
    /// The job.
    public var job: JobID
    /// The lease.
    public var lease: LeaseID

    /// Makes a probe.
    public init(job: JobID, lease: LeaseID) {
        self.job = job
        self.lease = lease
    }

    /// How a lease stands.
    public enum Standing: Sendable, Hashable {
        /// The job runs under it.
        case held
        /// The job was cancelled or timed out while it ran under it: stop.
        case stopped
        /// The job ended, or waits, or runs under another lease: forget it.
        case settled
        /// There is no such job. It may be about to be committed (``Announcement``); if not, forget it.
        case unknown
    }
}

/// A worker as others see it.
public struct WorkerRecord: Sendable {
    /// Its last beat.
    public var beat: WorkerBeat
    /// When it beat last, by the ledger's clock.
    public var beatAt: Timestamp
    /// How long ago that was, by the ledger's clock.
    public var age: Duration
    /// When it started.
    public var startedAt: Timestamp

    /// Whether it has beaten lately: within three beats, or half a minute for one elsewhere that only calls now and then.
    public var isAlive: Bool { age < (beat.isRemote ? .seconds(30) : .seconds(6)) }

    /// Makes a record.
    public init(beat: WorkerBeat, beatAt: Timestamp, age: Duration, startedAt: Timestamp) {
        self.beat = beat
        self.beatAt = beatAt
        self.age = age
        self.startedAt = startedAt
    }
}
