// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Foundation
import Ledger
import LedgerSQLite
import MediaStore
import MediaStoreFiles
import Plumbing
import ResultStore
import ResultStoreInProcess
import Workflow

@testable import ServiceWorker

/// A worker's surroundings on embedded adapters: jobs come in, completions are settled as a Service API does it.
final class WorkerFixture: Sendable {
    let inner: any Ledger
    let ledger: FaultyLedger
    let broker: any Broker
    let results: any ResultStore = InProcessResultStore()
    let media: any MediaStore
    let folder: String

    /// A job that was settled, as the ledger saw it.
    struct Settled: Sendable {
        var completion: Completion
        var verdict: SettleOutcome.Verdict
    }

    init(media given: (any MediaStore)? = nil, broker: any Broker = InProcessBroker()) async throws {
        self.broker = broker
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("malla-worker-\(MeshID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder.path
        inner = try SQLiteLedger(path: folder.appendingPathComponent("ledger.sqlite").path)
        try await inner.migrate()
        ledger = FaultyLedger(inner)
        media =
            given
            ?? FilesMediaStore(
                folder: folder.appendingPathComponent("media").path,
                bucket: "media",
                baseURL: "http://localhost",
                secret: Array("secret".utf8)
            )
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }

    func service(_ name: String = "work", output: JSONSchema? = nil) -> ServiceDefinition {
        ServiceDefinition(name: name, engine: .native(handler: "test", options: .null), output: output)
    }

    func worker(
        _ handler: any NativeHandler,
        slots: Int = 1,
        service: ServiceDefinition? = nil,
        _ change: (inout WorkerSettings) -> Void = { _ in }
    ) -> ServiceWorker {
        let engine = NativeEngine(handler: handler, concurrency: slots, media: media, ledger: ledger)
        return worker(engine, service: service, change)
    }

    func worker(
        _ engine: any Engine,
        service: ServiceDefinition? = nil,
        _ change: (inout WorkerSettings) -> Void = { _ in }
    ) -> ServiceWorker {
        let service = service ?? self.service()
        var settings = WorkerSettings(name: "test", services: [service])
        settings.beatInterval = .milliseconds(200)
        change(&settings)
        return ServiceWorker(
            settings,
            ports: WorkerPorts(ledger: ledger, broker: broker, results: results, media: media),
            engines: [service.name: engine]
        )
    }

    /// Creates jobs and posts a ticket for each.
    @discardableResult
    func add(
        _ count: Int,
        input: JSON = ["n": 1],
        tickets: Int = 1,
        change: (inout Job) -> Void = { _ in }
    ) async throws -> [Job] {
        let jobs = (0..<count).map { _ in
            var job = Job(id: MeshID(), service: "work", createdAt: .now)
            change(&job)
            return job
        }
        try await broker.declare(QueueName.tickets(service: "work"))
        try await inner.create(jobs.map { JobRecord(job: $0, input: input.bytes) })
        for _ in 0..<tickets {
            broker.post(jobs.map { Message(queue: QueueName.tickets(service: "work"), body: Ticket(job: $0.id).body) })
        }
        return jobs
    }

    /// Settles completions as they come.
    func settler() async throws -> AsyncStream<Settled> {
        let queue = QueueName.completions(service: "work")
        try await broker.declare(queue)
        let (stream, continuation) = AsyncStream<Settled>.makeStream()
        let (inlet, deliveries) = AsyncStream<[Delivery]>.makeStream()
        let subscription = try await broker.consume(queue, prefetch: 1000) { deliveries.yield($0) }
        let ledger = inner
        Task {
            for await batch in inlet {
                let bodies = batch.flatMap { (try? CompletionBatch.bodies(of: $0.body)) ?? [] }
                let completions = bodies.compactMap { try? Completion(body: $0) }
                let settlements = completions.map { Settlement(job: $0.job, event: $0.event, result: $0.result) }
                let finishing = DirectFinishing()
                guard let outcome = try? await ledger.settle(settlements, tasks: [], finishing: finishing) else {
                    continue
                }
                subscription.settle(batch.map(\.tag), .acknowledged)
                for (completion, verdict) in zip(completions, outcome.verdicts) {
                    continuation.yield(Settled(completion: completion, verdict: verdict))
                }
            }
        }
        return stream
    }

    func state(_ job: Job) async throws -> JobState? { try await inner.job(job.id)?.job.state }
}

extension AsyncStream where Element: Sendable {
    /// The next elements.
    func first(_ count: Int) async -> [Element] {
        var elements: [Element] = []
        guard count > 0 else { return [] }
        for await element in self {
            elements.append(element)
            if elements.count == count { break }
        }
        return elements
    }
}
