// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Benchmark

/// What a task meets on its way, piece by piece, without a server; found by the benchmark package under this name.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput],
        warmupIterations: 3,
        maxDuration: .seconds(2)
    )
    EnvelopeBenchmarks.register()
    RunBenchmarks.register()
    PlumbingBenchmarks.register()
    CallbackBenchmarks.register()
    FairnessBenchmarks.register()
    BrokerBenchmarks.register()
    LedgerBenchmarks.register()
}
