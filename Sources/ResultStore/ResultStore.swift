// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// The port to the disposable store of temporary results; nothing depends on it but speed.
///
/// Writes return at once, go out in batches, and are dropped and counted while the store is away. Reads throw
/// ``ResultStoreError`` then, and callers go on with the ledger.
public protocol ResultStore: Sendable {
    /// Keeps results for `timeToLive`.
    func put(_ entries: [(key: ResultKey, value: [UInt8])], timeToLive: Duration)

    /// Reads a result; nil when it is not there (any more).
    func get(_ key: ResultKey) async throws(ResultStoreError) -> [UInt8]?

    /// Appends an entry to the stream of a key; the stream lives `timeToLive` from its last entry and keeps about its
    /// last 5,000 entries.
    func append(_ value: [UInt8], to key: ResultKey, timeToLive: Duration)

    /// Reads the entries of a stream after an entry's id (nil for all), oldest first, at most `limit`.
    func entries(
        of key: ResultKey,
        after id: String?,
        limit: Int
    ) async throws(ResultStoreError) -> [(id: String, value: [UInt8])]

    /// The last entry of a stream.
    func lastEntry(of key: ResultKey) async throws(ResultStoreError) -> [UInt8]?

    /// Tells every listener something; nobody may hear it.
    func tell(_ hint: Hint)

    /// Listens to hints until the returned stream ends or is dropped; reconnects by itself.
    func hints() -> AsyncStream<Hint>

    /// Adds to a counter that everybody shares, and tells what it comes to; it begins at 0 and is forgotten
    /// `timeToLive` after it began.
    func add(_ amount: Int, to counter: String, timeToLive: Duration) async throws(ResultStoreError) -> Int

    /// Answers when the store does, within a few seconds.
    func ping() async throws(ResultStoreError)

    /// Flushes what waits (for at most a second) and ends the connections.
    func close() async
}

/// The name of a temporary result: what it is, whose, and the lease that wrote it.
public struct ResultKey: Sendable, Hashable {
    /// What is kept under a key.
    public enum Kind: String, Sendable, Hashable {
        /// The result of one job under one lease.
        case job
        /// The final answer for one task.
        case task
        /// The last progress of one job under one lease.
        case progress
        /// The stream of all that a handler tells of one job under one lease: see ``HandlerEvent``.
        case events
        /// How far a reader has read in a stream.
        case cursor
    }

    /// What it is.
    public var kind: Kind
    /// The task or job.
    public var id: MeshID
    /// The lease that wrote it; nil for what the App API wrote.
    public var lease: MeshID?

    /// Makes a key.
    public init(_ kind: Kind, _ id: MeshID, lease: MeshID? = nil) {
        self.kind = kind
        self.id = id
        self.lease = lease
    }

    /// The key's text: `malla:job:<id>:<lease>`.
    public var text: String {
        "malla:\(kind.rawValue):\(id)" + (lease.map { ":\($0)" } ?? "")
    }
}

/// Why a read failed.
public struct ResultStoreError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, without secrets.
    public let reason: String

    /// Makes an error.
    public init(_ reason: String) {
        self.reason = reason
    }

    /// The reason.
    public var description: String { "result store: \(reason)" }
}
