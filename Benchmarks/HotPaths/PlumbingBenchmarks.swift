// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Benchmark
import Plumbing

/// Identifiers, hops to a thread of its own and back, and the gathering of batches.
enum PlumbingBenchmarks {
    /// An actor on a thread of its own, as every connection is.
    private actor Connection {
        private nonisolated let loop = LoopThread(name: "benchmark")
        private var count = 0

        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

        func call() -> Int {
            count += 1
            return count
        }
    }

    static func register() {
        Benchmark("id: make, write and read", configuration: .init(scalingFactor: .kilo)) { benchmark in
            for _ in benchmark.scaledIterations { blackHole(MeshID(MeshID().description)) }
        }
        Benchmark("thread: there and back", configuration: .init(scalingFactor: .kilo)) { benchmark in
            let connection = Connection()
            blackHole(await connection.call())
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(await connection.call()) }
        }
        Benchmark("batches: 1,000 callers at once", configuration: .init(scalingFactor: .one)) { benchmark in
            let batcher = Batcher<Int, Int> { batch in
                await Task.yield()
                return batch.map { .success($0) }
            }
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<1000 { group.addTask { try await batcher.submit(number) } }
                    for try await number in group { blackHole(number) }
                }
            }
        }
    }
}
