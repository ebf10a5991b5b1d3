// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Foundation
import LedgerSQLite
import Logging
import MallaTestKit
import Plumbing
import ResultStoreRedis
import Testing

/// Limits of several processes that count together through Redis.
@Suite struct SharedLimitTests {
    private func gates(_ count: Int, _ settings: RedisSettings) throws -> (gates: [LimitGate], close: () async -> Void)
    {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("malla-\(MeshID()).yaml").path
        try "default: {requests_per_second: 25}\n".write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try LimitsFile(path: path)
        let ledger = try SQLiteLedger.inMemory()
        let stores = (0..<count).map { _ in RedisResultStore(settings: settings, logger: Logger(label: "test")) }
        // One moment for all: how fast the test runs says nothing.
        let moment = Timestamp.now
        return (
            stores.map { LimitGate(file: file, results: $0, ledger: ledger, clock: { moment }) },
            {
                for store in stores { await store.close() }
                await ledger.close()
            }
        )
    }

    private func passed(_ gates: [LimitGate], user: String) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            for gate in gates {
                for _ in 0..<100 { group.addTask { await gate.check(user: user) == nil } }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
    }

    @Test(.needs(.redis), .timeLimit(.minutes(1))) func processesShareALimitThroughRedis() async throws {
        let url = try #require(TestServers.redis)
        let (gates, close) = try gates(3, try #require(RedisSettings(url: url)))
        #expect(await passed(gates, user: "u\(MeshID())") == 25)
        await close()
    }

    @Test(.timeLimit(.minutes(1))) func withoutRedisEachProcessCountsItsOwn() async throws {
        // Port 1 on loopback: nobody listens there.
        let (gates, close) = try gates(3, RedisSettings(host: "127.0.0.1", port: 1))
        #expect(await passed(gates, user: "u") == 75)
        await close()
    }
}
