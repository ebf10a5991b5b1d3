// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Benchmark
import Plumbing
import Workflow

/// Messages and JSON of 1 KiB, as bench-3 sends them.
enum EnvelopeBenchmarks {
    /// A JSON object of 1 KiB.
    static let payload = Array(#"{"payload":"\#(String(repeating: "x", count: 1010))"}"#.utf8)
    /// A JSON object of 1 KiB with many members.
    static let members = Array(
        "{\((0..<64).map { #""m\#($0)":[\#($0),true]"# }.joined(separator: ","))}".utf8
    )

    static func register() {
        let completion = Completion(
            job: MeshID(),
            task: MeshID(),
            lease: MeshID(),
            failure: nil,
            result: payload,
            runMilliseconds: 12
        )
        Benchmark("completion: write", configuration: .init(scalingFactor: .kilo)) { benchmark in
            for _ in benchmark.scaledIterations { blackHole(completion.body) }
        }
        let body = completion.body
        Benchmark("completion: read", configuration: .init(scalingFactor: .kilo)) { benchmark in
            for _ in benchmark.scaledIterations { blackHole(try Completion(body: body)) }
        }
        for (name, bytes) in [("one text", payload), ("64 members", members)] {
            Benchmark("JSON of 1 KiB, \(name): read", configuration: .init(scalingFactor: .kilo)) { benchmark in
                for _ in benchmark.scaledIterations { blackHole(try JSON(parsing: bytes)) }
            }
            Benchmark("JSON of 1 KiB, \(name): write", configuration: .init(scalingFactor: .kilo)) { benchmark in
                let json = try JSON(parsing: bytes)
                benchmark.startMeasurement()
                for _ in benchmark.scaledIterations { blackHole(json.bytes) }
            }
        }
    }
}
