// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import MallaTestKit
import MediaStore
import Plumbing
import ResultStore
import Synchronization
import Testing
import Workflow

@testable import ServiceWorker

/// Where results go: small and large ones, and those that have to wait.
extension ServiceWorkerTests {
    @Test("A large result outlives an outage of the media store: the attempt counts, and none is lost")
    func keepsResultsWhileMediaIsAway() async throws {
        let media = ProcessMedia()
        media.outages.withLock { $0 = 6 }
        let fixture = try await WorkerFixture(media: media)
        let settled = try await fixture.settler()
        let text = String(repeating: "x", count: 300_000)
        let worker = fixture.worker(FunctionHandler { _ in ["text": .string(text)] })
        await worker.start()
        let jobs = try await fixture.add(1)
        let done = try #require(await settled.first(1).first)
        #expect(done.completion.failure == nil && done.completion.storedResult != nil)
        #expect(done.verdict == .applied(.succeeded))
        #expect(try await fixture.inner.job(jobs[0].id)?.job.attempt == 1)
        #expect(media.outages.withLock { $0 } == 0)
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A drain hands back what waits for the media store, and no attempt has failed")
    func handsBackResultsThatCannotBeStored() async throws {
        let media = ProcessMedia()
        media.outages.withLock { $0 = 100_000 }
        let fixture = try await WorkerFixture(media: media)
        let text = String(repeating: "x", count: 300_000)
        let worker = fixture.worker(FunctionHandler { _ in ["text": .string(text)] })
        await worker.start()
        let jobs = try await fixture.add(1)
        try await until { media.outages.withLock { $0 } < 100_000 }
        await worker.drain(timeout: .milliseconds(50))
        let job = try #require(try await fixture.inner.job(jobs[0].id)?.job)
        #expect(job.state == .waiting && job.failures == 0 && job.orphaned == 0)
    }

    @Test("A result goes to the result store as well, unless nobody else reads it there", arguments: [true, false])
    func sharesResults(_ isShared: Bool) async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0 }) { $0.sharesResults = isShared }
        await worker.start()
        try await fixture.add(1)
        let done = try #require(await settled.first(1).first)
        #expect(done.verdict == .applied(.succeeded))
        let key = ResultKey(.job, done.completion.job, lease: done.completion.lease)
        #expect(try await fixture.results.get(key) == (isShared ? Array("{\"n\":1}".utf8) : nil))
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A worker whose results had to wait takes jobs again as soon as they are gone")
    func claimsAgainOnceThereIsRoom() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let worker = fixture.worker(FunctionHandler { $0 }) { settings in
            settings.ticketHold = .milliseconds(10)
            // No beat may come to help.
            settings.beatInterval = .seconds(3600)
        }
        worker.floor.outbox.keep(1 << 30)
        await worker.start()
        try await fixture.add(1)
        // The ticket is back in the queue, and the consumer has paused.
        let queue = QueueName.tickets(service: "work")
        try await until { try await fixture.broker.depth(of: queue) == 1 }
        worker.floor.outbox.release(1 << 30)
        #expect(await settled.first(1).first?.verdict == .applied(.succeeded))
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A large result travels as a media reference")
    func storesLargeResults() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let text = String(repeating: "x", count: 300_000)
        let worker = fixture.worker(FunctionHandler { _ in ["text": .string(text)] })
        await worker.start()
        try await fixture.add(1)
        let completion = try #require(await settled.first(1).first?.completion)
        let stored = try #require(completion.storedResult)
        let reference = try #require(MediaReference(stored.reference))
        #expect(completion.result.isEmpty)
        let content = try await fixture.media.read(reference, offset: 0)
        var bytes: [UInt8] = []
        for try await chunk in content.bytes { bytes += chunk }
        #expect(bytes.count == stored.size)
        #expect(try JSON(parsing: bytes) == ["text": .string(text)])
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A small result that looks like a place stays what it is")
    func keepsSmallResults() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let result: JSON = ["media": "s3://media/derived/x/y.json", "size": 7]
        let worker = fixture.worker(FunctionHandler { _ in result })
        await worker.start()
        try await fixture.add(1)
        let completion = try #require(await settled.first(1).first?.completion)
        #expect(completion.storedResult == nil && completion.result == result.bytes)
        await worker.drain(timeout: .seconds(5))
    }

    @Test("A result above the limit fails for good and says what to do")
    func refusesHugeResults() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        let text = String(repeating: "x", count: Completion.maxResultSize)
        let worker = fixture.worker(FunctionHandler { _ in ["text": .string(text)] })
        await worker.start()
        try await fixture.add(1)
        let last = try #require(await settled.first(1).first)
        let error = try #require(last.completion.failure?.error)
        #expect(error.isFinal && error.message.contains("hand over media references instead"))
        #expect(last.verdict == .applied(.failed))
        await worker.drain(timeout: .seconds(5))
    }
}
