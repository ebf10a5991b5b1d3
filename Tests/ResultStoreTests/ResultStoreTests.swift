// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import MallaTestKit
import Plumbing
import ResultStore
import ResultStoreInProcess
import ResultStoreRedis
import Testing

@Suite struct ResultStoreTests {
    @Test(.timeLimit(.minutes(1))) func memoryHonoursTheContract() async throws {
        let store = InProcessResultStore()
        try await ResultStoreContract(store: store).run()
        await store.close()
    }

    @Test func memoryStaysBelowItsCapacity() async throws {
        let store = InProcessResultStore(capacity: 10_000)
        let keys = (0..<100).map { _ in ResultKey(.task, MeshID()) }
        for key in keys { store.put([(key, [UInt8](repeating: 1, count: 1000))], timeToLive: .seconds(60)) }
        #expect(try await store.get(keys[0]) == nil)
        #expect(try await store.get(keys[99])?.count == 1000)
    }

    @Test func whatIsWrittenAgainTakesNoMoreAndStays() async throws {
        let store = InProcessResultStore(capacity: 10_000)
        let (first, again, stream) = (
            ResultKey(.task, MeshID()), ResultKey(.progress, MeshID()), ResultKey(.events, MeshID())
        )
        store.put([(first, [0])], timeToLive: .seconds(60))
        for number in 0..<1000 { store.put([(again, Array("\(number)".utf8))], timeToLive: .seconds(60)) }
        #expect(try await store.get(first) == [0])
        #expect(try await store.get(again) == Array("999".utf8))
        // A stream of nothing fills it all the same, and then the oldest go.
        for _ in 0..<1000 { store.append([], to: stream, timeToLive: .seconds(60)) }
        #expect(try await store.get(first) == nil)
    }

    @Test func valuesOfNothingCountAsWell() async throws {
        let store = InProcessResultStore(capacity: 10_000)
        let keys = (0..<100).map { _ in ResultKey(.task, MeshID()) }
        store.put(keys.map { ($0, []) }, timeToLive: .seconds(60))
        #expect(try await store.get(keys[0]) == nil)
        #expect(try await store.get(keys[99]) == [])
    }

    @Test(.needs(.redis), .timeLimit(.minutes(1))) func redisHonoursTheContract() async throws {
        let url = try #require(TestServers.redis)
        let settings = try #require(RedisSettings(url: url))
        let store = RedisResultStore(settings: settings, logger: Logger(label: "test"))
        try await ResultStoreContract(store: store).run()
        await store.close()
    }

    @Test(.timeLimit(.minutes(1))) func anAbsentRedisFailsReadsAndDropsWrites() async throws {
        // Port 1 on loopback: nobody listens there.
        let store = RedisResultStore(settings: RedisSettings(host: "127.0.0.1", port: 1), logger: Logger(label: "test"))
        let key = ResultKey(.task, MeshID())
        store.put([(key, [1])], timeToLive: .seconds(1))
        await #expect(throws: ResultStoreError.self) { try await store.get(key) }
        await #expect(throws: ResultStoreError.self) { try await store.ping() }
        await store.close()
        await #expect(throws: ResultStoreError.self) { try await store.get(key) }
    }

    @Test(arguments: ["http://x", "redis://", "redis://host/notanumber", "host:6379"])
    func badAddressesAreRefused(_ url: String) {
        #expect(RedisSettings(url: url) == nil)
    }

    @Test func anAddressIsReadWhole() throws {
        let settings = try #require(RedisSettings(url: "redis://me:p%40ss@host:7000/3"))
        #expect(settings.host == "host" && settings.port == 7000 && settings.database == 3)
        #expect(settings.user == "me" && settings.password == "p@ss")
    }
}
