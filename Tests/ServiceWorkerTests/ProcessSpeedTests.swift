// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import ServiceWorker
import Testing
import Workflow

/// How many jobs one echoing process does; only run when `MALLA_TEST_SPEED` asks for it.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MALLA_TEST_SPEED"] != nil), .serialized)
struct ProcessSpeedTests {
    @Test(arguments: [1, 32]) func echo(batch: Int) async throws {
        let code =
            batch == 1
            ? "import malla\nmalla.serve(lambda job: job[\"input\"])"
            : "import malla\nmalla.serve(lambda jobs: [job[\"input\"] for job in jobs], batch=\(batch))"
        try await ProcessFixture.with(code) {
            $0.batchMaxSize = batch
        } _: { fixture in
            let count = 20_000
            let input: JSON = ["text": "hello", "stage1": true]
            #expect(await fixture.run(input).output == input)
            let start = ContinuousClock.now
            await withDiscardingTaskGroup { group in
                for _ in 0..<64 {
                    group.addTask {
                        for _ in 0..<(count / 64) { _ = await fixture.run(input) }
                    }
                }
            }
            let seconds = (ContinuousClock.now - start).inSeconds
            print("batch \(batch): \(Int(Double(count) / seconds)) jobs/s")
        }
    }
}
