// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Benchmark
import Fairness
import LedgerSQLite
import Logging

/// The place of a job in its queue, beside many users.
enum FairnessBenchmarks {
    static func register() {
        Benchmark("rank: a job among 10,000 users", configuration: .init(scalingFactor: .kilo)) { benchmark in
            let ledger = try SQLiteLedger.inMemory()
            let ranking = FairRanking(ledger: ledger, logger: Logger(label: "benchmark"))
            for user in 0..<10_000 { blackHole(ranking.rank(service: "alpha", user: "u\(user)")) }
            benchmark.startMeasurement()
            for number in benchmark.scaledIterations {
                blackHole(ranking.rank(service: "alpha", user: "u\(number % 10_000)"))
            }
            benchmark.stopMeasurement()
            await ledger.close()
        }
    }
}
