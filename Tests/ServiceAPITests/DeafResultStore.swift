// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import ResultStore

/// A result store that is away: writes are dropped, reads fail.
struct DeafResultStore: ResultStore {
    private let away = ResultStoreError("away")

    func put(_ entries: [(key: ResultKey, value: [UInt8])], timeToLive: Duration) {}
    func get(_ key: ResultKey) async throws(ResultStoreError) -> [UInt8]? { throw away }
    func append(_ value: [UInt8], to key: ResultKey, timeToLive: Duration) {}

    func entries(
        of key: ResultKey,
        after id: String?,
        limit: Int
    ) async throws(ResultStoreError) -> [(id: String, value: [UInt8])] { throw away }

    func lastEntry(of key: ResultKey) async throws(ResultStoreError) -> [UInt8]? { throw away }
    func tell(_ hint: Hint) {}
    func hints() -> AsyncStream<Hint> { AsyncStream { $0.finish() } }
    func add(_ amount: Int, to counter: String, timeToLive: Duration) async throws(ResultStoreError) -> Int {
        throw away
    }
    func ping() async throws(ResultStoreError) { throw away }
    func close() async {}
}
