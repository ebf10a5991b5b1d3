// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import ResultStore
import Synchronization

/// The result store of a mesh in one process: memory, bounded, gone with the process.
public final class InProcessResultStore: ResultStore {
    fileprivate struct Entry {
        var values: [(id: UInt64, value: [UInt8])]
        var expiresAt: ContinuousClock.Instant

        /// About what it takes, in bytes.
        var bytes: Int {
            values.reduce(InProcessResultStore.keyBytes) { $0 + InProcessResultStore.bytes(of: $1.value) }
        }
    }

    fileprivate struct State {
        var entries: [ResultKey: Entry] = [:]
        /// Keys in the order in which they were first written, for throwing out the oldest.
        var order: [ResultKey] = []
        var orderStart = 0
        var nextEntry: UInt64 = 1
        var listeners: [Int: AsyncStream<Hint>.Continuation] = [:]
        var nextListener = 0
        var bytes = 0
        var counters: [String: (sum: Int, expiresAt: ContinuousClock.Instant)] = [:]
        /// How many counters there may be before the expired ones are looked for.
        var counterLimit = 1024
    }

    private static let streamLength = 5000
    /// About what a key takes besides its values, in bytes.
    private static let keyBytes = 256
    private let state = Mutex(State())
    private let capacity: Int

    /// Makes an empty store.
    ///
    /// - Parameter capacity: the bytes above which the oldest keys go, with what each takes besides its values.
    public init(capacity: Int = 64 << 20) {
        self.capacity = capacity
    }

    /// Keeps results until they expire or the capacity is reached.
    public func put(_ entries: [(key: ResultKey, value: [UInt8])], timeToLive: Duration) {
        let expiresAt = ContinuousClock.now + timeToLive
        state.withLock { state in
            for (key, value) in entries { state.put(key, value, expiresAt: expiresAt) }
            state.shrink(to: capacity)
        }
    }

    /// About what a value takes, in bytes.
    fileprivate static func bytes(of value: [UInt8]) -> Int { value.count + 64 }

    /// Reads a result that has not expired.
    public func get(_ key: ResultKey) async throws(ResultStoreError) -> [UInt8]? {
        state.withLock { $0.live(key)?.values.last?.value }
    }

    /// Appends to a stream and renews its life.
    public func append(_ value: [UInt8], to key: ResultKey, timeToLive: Duration) {
        state.withLock { state in
            state.append(key, value, expiresAt: ContinuousClock.now + timeToLive, limit: Self.streamLength)
            state.shrink(to: capacity)
        }
    }

    /// Reads the entries of a stream after an id.
    public func entries(
        of key: ResultKey,
        after id: String?,
        limit: Int
    ) async throws(ResultStoreError) -> [(id: String, value: [UInt8])] {
        let start = id.flatMap { UInt64($0) } ?? 0
        let values = state.withLock { $0.live(key)?.values } ?? []
        var found: [(id: String, value: [UInt8])] = []
        for entry in values where entry.id > start && found.count < limit {
            found.append((id: String(entry.id), value: entry.value))
        }
        return found
    }

    /// The last entry of a stream.
    public func lastEntry(of key: ResultKey) async throws(ResultStoreError) -> [UInt8]? {
        state.withLock { $0.live(key)?.values.last?.value }
    }

    /// Tells every listener of this process.
    public func tell(_ hint: Hint) {
        let listeners = state.withLock { Array($0.listeners.values) }
        for listener in listeners { listener.yield(hint) }
    }

    /// Listens to hints.
    public func hints() -> AsyncStream<Hint> {
        let (stream, continuation) = AsyncStream<Hint>.makeStream(bufferingPolicy: .bufferingNewest(1024))
        let number = state.withLock { state in
            defer { state.nextListener += 1 }
            state.listeners[state.nextListener] = continuation
            return state.nextListener
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    /// Adds to a counter of this process.
    public func add(_ amount: Int, to counter: String, timeToLive: Duration) async throws(ResultStoreError) -> Int {
        let now = ContinuousClock.now
        return state.withLock { state in
            state.forgetCounters(at: now)
            let found = state.counters[counter]
            let present = found.flatMap { $0.expiresAt > now ? $0 : nil } ?? (sum: 0, expiresAt: now + timeToLive)
            state.counters[counter] = (present.sum + amount, present.expiresAt)
            return present.sum + amount
        }
    }

    /// Answers at once.
    public func ping() async throws(ResultStoreError) {}

    /// Ends the listeners' streams.
    public func close() async {
        let listeners = state.withLock { Array($0.listeners.values) }
        for listener in listeners { listener.finish() }
    }
}

extension InProcessResultStore.State {
    fileprivate mutating func live(_ key: ResultKey) -> InProcessResultStore.Entry? {
        guard let entry = entries[key] else { return nil }
        guard entry.expiresAt > ContinuousClock.now else {
            remove(key)
            return nil
        }
        return entry
    }

    /// Writes the only value of a key; one that is there keeps its place among those that are thrown out.
    fileprivate mutating func put(_ key: ResultKey, _ value: [UInt8], expiresAt: ContinuousClock.Instant) {
        if let before = live(key) { bytes -= before.bytes } else { order.append(key) }
        let entry = InProcessResultStore.Entry(values: [(nextEntry, value)], expiresAt: expiresAt)
        entries[key] = entry
        nextEntry += 1
        bytes += entry.bytes
    }

    fileprivate mutating func append(
        _ key: ResultKey,
        _ value: [UInt8],
        expiresAt: ContinuousClock.Instant,
        limit: Int
    ) {
        guard live(key) != nil else { return put(key, value, expiresAt: expiresAt) }
        entries[key]?.values.append((nextEntry, value))
        entries[key]?.expiresAt = expiresAt
        nextEntry += 1
        bytes += InProcessResultStore.bytes(of: value)
        // The oldest go an eighth of the limit at a time: each going moves all that stay.
        guard let count = entries[key]?.values.count, count > limit + limit / 8 else { return }
        bytes -=
            entries[key]?.values.prefix(count - limit).reduce(0) { $0 + InProcessResultStore.bytes(of: $1.value) } ?? 0
        entries[key]?.values.removeFirst(count - limit)
    }

    fileprivate mutating func remove(_ key: ResultKey) {
        if let entry = entries.removeValue(forKey: key) { bytes -= entry.bytes }
    }

    /// Throws out expired counters whenever their number has doubled, so that each addition pays a constant share.
    fileprivate mutating func forgetCounters(at now: ContinuousClock.Instant) {
        guard counters.count >= counterLimit else { return }
        counters = counters.filter { $0.value.expiresAt > now }
        counterLimit = max(1024, counters.count * 2)
    }

    /// Throws out expired keys at the old end, and live ones while there are too many bytes.
    fileprivate mutating func shrink(to capacity: Int) {
        let now = ContinuousClock.now
        while orderStart < order.count {
            let key = order[orderStart]
            if let entry = entries[key], entry.expiresAt > now, bytes <= capacity { break }
            remove(key)
            orderStart += 1
        }
        if orderStart > 1024, orderStart * 2 > order.count {
            order.removeFirst(orderStart)
            orderStart = 0
        }
    }
}
