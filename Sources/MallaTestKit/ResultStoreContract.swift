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
        try await longStreams()
        try await counts()
        try await hints()
        try await manyHints()
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

    private func longStreams() async throws {
        let key = ResultKey(.events, MeshID(), lease: MeshID())
        for number in 0..<12_000 {
            store.append(HandlerEvent(.partial, Array(String(number).utf8)).bytes, to: key, timeToLive: .seconds(60))
        }
        let kept = try await store.entries(of: key, after: nil, limit: 20_000).compactMap {
            HandlerEvent(bytes: $0.value)
        }
        try expect(kept.last == HandlerEvent(.partial, Array("11999".utf8)), "the last of 12,000 entries is not kept")
        try expect((5000..<6000).contains(kept.count), "a stream of 12,000 entries keeps \(kept.count)")
    }

    private func counts() async throws {
        let counter = "test-\(MeshID())"
        try expect(try await store.add(2, to: counter, timeToLive: .seconds(60)) == 2, "a counter does not begin at 0")
        try expect(try await store.add(0, to: counter, timeToLive: .seconds(60)) == 2, "adding nothing changes it")
        let less = try await store.add(-5, to: counter, timeToLive: .seconds(60))
        try expect(less == -3, "a counter can't be taken from")
        let store = store
        let sums = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<500 { group.addTask { try await store.add(1, to: counter, timeToLive: .seconds(60)) } }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        try expect(sums == Set(-2...497), "500 additions at once don't tell 500 different sums")
        // Its life is counted from its beginning: additions do not lengthen it.
        let brief = "test-\(MeshID())"
        let limit = ContinuousClock.now + .seconds(5)
        var last = 0
        repeat {
            try expect(ContinuousClock.now < limit, "a counter outlives its time by seconds")
            let sum = try await store.add(1, to: brief, timeToLive: .milliseconds(100))
            if sum <= last { return }
            last = sum
            try await Task.sleep(for: .milliseconds(10))
        } while true
    }

    private func hints() async throws {
        try await hear(.cancelled([MeshID(), MeshID()]))
        try await hear(.ended([MeshID()]))
        try await hear(.waiting(service: "face-detection"))
    }

    private func hear(_ hint: Hint) async throws {
        let (one, two) = (store.hints(), store.hints())
        let store = store
        // A listener may still be subscribing, and a hint that nobody hears is lost: so it is told until it is heard.
        let teller = Task {
            while !Task.isCancelled {
                store.tell(hint)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        defer { teller.cancel() }
        for stream in [one, two] {
            // What was told last before may still be under way.
            for await heard in stream where heard == hint { break }
        }
    }

    private func manyHints() async throws {
        let stream = store.hints()
        let leases = (0..<10_000).map { _ in MeshID() }
        let mark = Hint.waiting(service: "test-\(MeshID())")
        store.tell(.cancelled([]))
        store.tell(.cancelled(leases))
        store.tell(mark)
        var heard: [MeshID] = []
        for await hint in stream {
            if hint == mark { break }
            if case .cancelled(let some) = hint, some.first.map(leases.contains) == true { heard += some }
        }
        try expect(heard == leases, "of 10,000 ids told, \(heard.count) are heard")
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
