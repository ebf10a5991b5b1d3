// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
public import ResultStore

/// What every result store must do; run it on each adapter.
public struct ResultStoreContract: Sendable {
    private let store: any ResultStore

    /// Makes the suite for a store that the caller closes.
    public init(store: any ResultStore) {
        self.store = store
    }

    /// Runs every case.
    ///
    /// - Throws: ``ContractViolation`` at the first case that does not hold, or what the store threw.
    public func run() async throws {
        try await keepsAndOverwrites()
        try await manyAtOnce()
        try await expires()
        try await streams()
        try await hints()
        try await store.ping()
    }

    private func expect(_ holds: Bool, _ what: String) throws {
        if !holds { throw ContractViolation(what) }
    }

    private func keepsAndOverwrites() async throws {
        let key = ResultKey(.job, MeshID(), lease: MeshID())
        try expect(try await store.get(key) == nil, "a key that was never written is there")
        for value in [[], [0, 13, 10, 255], Array("second".utf8)] {
            store.put([(key, value)], timeToLive: .seconds(60))
            try expect(try await store.get(key) == value, "a value does not come back as it was written")
        }
        let other = ResultKey(.job, key.id, lease: MeshID())
        try expect(try await store.get(other) == nil, "another lease's result is seen")
    }

    private func manyAtOnce() async throws {
        let keys = (0..<10_000).map { _ in ResultKey(.task, MeshID()) }
        store.put(keys.map { ($0, $0.id.bytes) }, timeToLive: .seconds(60))
        for key in keys.enumerated().filter({ $0.offset % 500 == 0 }).map(\.element) {
            try expect(try await store.get(key) == key.id.bytes, "one of 10,000 values is wrong")
        }
        store.put([], timeToLive: .seconds(60))
    }

    private func expires() async throws {
        let key = ResultKey(.task, MeshID())
        store.put([(key, [1])], timeToLive: .milliseconds(50))
        let limit = ContinuousClock.now + .seconds(5)
        while try await store.get(key) != nil {
            try expect(ContinuousClock.now < limit, "a value outlives its time by seconds")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func streams() async throws {
        let key = ResultKey(.progress, MeshID(), lease: MeshID())
        try expect(try await store.entries(of: key, after: nil, limit: 10).isEmpty, "an empty stream has entries")
        try expect(try await store.lastEntry(of: key) == nil, "an empty stream has a last entry")
        for number in UInt8(0)..<20 { store.append([number], to: key, timeToLive: .seconds(60)) }
        let first = try await store.entries(of: key, after: nil, limit: 5)
        try expect(first.map(\.value) == (0..<5).map { [UInt8($0)] }, "a stream does not begin with its first entries")
        let rest = try await store.entries(of: key, after: first.last?.id, limit: 100)
        try expect(rest.map(\.value) == (5..<20).map { [UInt8($0)] }, "a stream does not go on after an id")
        try expect(try await store.lastEntry(of: key) == [19], "the last entry is another one")
        try expect(
            try await store.entries(of: key, after: rest.last?.id, limit: 10).isEmpty,
            "entries follow the last one"
        )
    }

    private func hints() async throws {
        let (one, two) = (store.cancelHints(), store.cancelHints())
        let leases = [MeshID(), MeshID()]
        let store = store
        // A listener may still be subscribing, and a hint that nobody hears is lost: so it is told until it is heard.
        let teller = Task {
            while !Task.isCancelled {
                store.hintCancelled(leases)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        defer { teller.cancel() }
        for stream in [one, two] {
            var iterator = stream.makeAsyncIterator()
            try expect(await iterator.next() == leases, "a listener hears something else")
        }
    }
}

/// A case of a contract suite that does not hold.
public struct ContractViolation: Error, CustomStringConvertible {
    /// The case.
    public let description: String

    /// Makes one.
    public init(_ description: String) {
        self.description = description
    }
}
