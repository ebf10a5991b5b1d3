// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import ResultStore
import ResultStoreInProcess
import Testing

@testable import ServiceWorker

@Suite struct RunContextTests {
    @Test func whatAHandlerTellsIsOneStreamAndTheLastProgressIsAtHand() async throws {
        let results = InProcessResultStore()
        let (job, lease) = (MeshID(), MeshID())
        let context = RunContext(results: results, job: job, lease: lease, timeToLive: .seconds(60))
        context.progress(Array("1".utf8))
        context.partial(Array("\"a\"".utf8))
        context.progress(Array("2".utf8))
        let events = try await results.entries(of: ResultKey(.events, job, lease: lease), after: nil, limit: 10)
        let expected = [
            HandlerEvent(.progress, Array("1".utf8)), HandlerEvent(.partial, Array("\"a\"".utf8)),
            HandlerEvent(.progress, Array("2".utf8)),
        ]
        #expect(events.compactMap { HandlerEvent(bytes: $0.value) } == expected)
        #expect(try await results.get(ResultKey(.progress, job, lease: lease)) == Array("2".utf8))
        // Another lease of the same job has told nothing.
        #expect(try await results.get(ResultKey(.progress, job, lease: MeshID())) == nil)
    }
}
