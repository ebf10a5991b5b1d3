// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import ResultStore
import ServiceWorker
import Testing
import Workflow

@Suite(.timeLimit(.minutes(1))) struct ProviderUsageTests {
    /// A handler that tells what a test wants.
    struct Teller: NativeHandler {
        let body: @Sendable (NativeContext) async throws -> JSON

        func run(_ input: JSON, context: NativeContext) async throws -> JSON { try await body(context) }
    }

    /// Runs one job and returns its completion.
    private func completion(
        price: Double? = nil,
        gpus: ServiceDefinition.GPUs = .none,
        in fixture: WorkerFixture? = nil,
        _ body: @escaping @Sendable (NativeContext) async throws -> JSON
    ) async throws -> Completion {
        let fixture = if let fixture { fixture } else { try await WorkerFixture() }
        var service = fixture.service()
        service.pricePerHour = price
        service.gpus = gpus
        let worker = fixture.worker(Teller(body: body), service: service)
        let settled = try await fixture.settler()
        await worker.start()
        try await fixture.add(1)
        let completion = await settled.first(1).first?.completion
        await worker.drain(timeout: .seconds(1))
        return try #require(completion)
    }

    @Test func nothingKnownIsNothing() async throws {
        #expect(try await completion { _ in [:] }.usage == nil)
    }

    @Test func whatIsToldSeveralTimesIsAddedUp() async throws {
        let usage = try await completion { context in
            context.usage(JobUsage(promptTokens: 10))
            context.usage(JobUsage(costUSD: 0.5, promptTokens: Int.max, completionTokens: 3))
            return [:]
        }.usage
        #expect(usage == JobUsage(costUSD: 0.5, promptTokens: Int.max, completionTokens: 3))
    }

    @Test func timeHeldCostsAtTheServicesPriceAlsoWhenTheJobFails() async throws {
        for fails in [false, true] {
            let completion = try await completion(price: 3600, gpus: .all) { _ in
                try await Task.sleep(for: .milliseconds(60))
                if fails { throw JobError(.handler, "no", isFinal: true) }
                return [:]
            }
            #expect((completion.failure != nil) == fails)
            let usage = try #require(completion.usage)
            #expect((usage.gpuMilliseconds ?? 0) >= 60)
            // 3600 dollars an hour are a dollar a second.
            let dollars = try #require(usage.costUSD)
            #expect(dollars >= 0.06)
            #expect(abs(dollars - Double(usage.gpuMilliseconds ?? 0) / 1000) < 0.01)
        }
    }

    @Test func anUpstreamsPriceGoesBeforeTheServices() async throws {
        let usage = try await completion(price: 3600) { context in
            context.usage(JobUsage(costUSD: 0.25))
            return [:]
        }.usage
        #expect(usage == JobUsage(costUSD: 0.25))
    }

    @Test func whatIsToldIsOneStreamInOrder() async throws {
        let fixture = try await WorkerFixture()
        let done = try await completion(in: fixture) { context in
            context.progress(["done": 0.5])
            context.partial(["content": "a"])
            context.log("a \"line\"")
            context.partial(["content": "b"])
            return [:]
        }
        let entries = try await fixture.results.entries(
            of: ResultKey(.events, done.job, lease: done.lease),
            after: nil,
            limit: 10
        )
        let events = entries.compactMap { HandlerEvent(bytes: $0.value) }
        #expect(events.map(\.kind) == [.progress, .partial, .log, .partial])
        let texts = events.map { String(decoding: $0.json, as: UTF8.self) }
        #expect(texts == ["{\"done\":0.5}", "{\"content\":\"a\"}", "\"a \\\"line\\\"\"", "{\"content\":\"b\"}"])
        let last = try await fixture.results.get(ResultKey(.progress, done.job, lease: done.lease))
        #expect(last.map { String(decoding: $0, as: UTF8.self) } == "{\"done\":0.5}")
    }
}
