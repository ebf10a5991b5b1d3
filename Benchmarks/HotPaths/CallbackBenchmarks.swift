// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Benchmark
import Callbacks
import Plumbing

/// What a callback costs before it is sent.
enum CallbackBenchmarks {
    static func register() {
        Benchmark("callback: sign 1 KiB", configuration: .init(scalingFactor: .kilo)) { benchmark in
            guard let secret = WebhookSecret("whsec_YmVuY2htYXJrLXNlY3JldC1ub3QtYS1yZWFsLW9uZQ==") else {
                return benchmark.error("the secret is not one")
            }
            let id = MeshID().description
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                blackHole(secret.sign(id: id, timestamp: 1_700_000_000, body: EnvelopeBenchmarks.payload))
            }
        }
    }
}
