// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerInProcess
import Completions
import Foundation
import Ledger
import LedgerSQLite
import Logging
import MediaStoreFiles
import Plumbing
import ResultStoreInProcess
import Testing
import Workflow

/// A consumer of direct jobs' completions on embedded parts; the test is the workers.
struct CompletionsFixture: Sendable {
    let ledger: SQLiteLedger
    let broker = InProcessBroker()
    let results = InProcessResultStore()
    let followUp: RecordedFollowUp
    private let services: [String]

    init(services: [String] = ["echo"]) async throws {
        self.services = services
        ledger = try SQLiteLedger.inMemory()
        try await ledger.migrate()
        followUp = RecordedFollowUp(hints: SettledHints(results: results))
        for service in services { try await broker.declare(QueueName.completions(service: service)) }
    }

    /// Runs a body with the consumer behind it.
    func serve(
        offered: @escaping @Sendable (SlotOffer) -> Void = { _ in },
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let consumer = consumer(offered: offered)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consumer.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    /// A consumer that may hold 16 messages of each queue.
    func consumer(offered: @escaping @Sendable (SlotOffer) -> Void = { _ in }) -> CompletionsConsumer {
        let media = FilesMediaStore(
            folder: FileManager.default.temporaryDirectory.appendingPathComponent("malla-media-\(MeshID())").path,
            bucket: "media",
            baseURL: "http://localhost",
            secret: Array("0123456789abcdef".utf8)
        )
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        return CompletionsConsumer(
            broker: broker,
            queues: services.map { QueueName.completions(service: $0) },
            settling: CompletionSettling(
                ledger: ledger,
                media: media,
                finishing: DirectFinishing(),
                followUp: followUp,
                logger: logger
            ),
            prefetch: 16,
            lanes: 2,
            offered: offered,
            logger: logger
        )
    }

    /// Creates direct jobs of a service.
    @discardableResult
    func create(_ count: Int, service: String = "echo", labels: JobLabels? = nil) async throws -> [Job] {
        let jobs = (0..<count).map { _ in Job(id: MeshID(), service: service, createdAt: .now, labels: labels) }
        try await ledger.create(jobs.map { JobRecord(job: $0, input: Array(#"{"in":1}"#.utf8)) })
        return jobs
    }

    /// Claims jobs of a service; they must be there.
    func claim(_ count: Int, service: String = "echo") async throws -> [Job] {
        let leases = (0..<count).map { _ in MeshID() }
        let claimed = try await ledger.claim(service: service, worker: "w-1", leases: leases)
        try #require(claimed.count == count)
        return claimed.map(\.job)
    }

    /// The outcomes until this many jobs have ended.
    func ended(_ count: Int) async throws -> [Job] {
        var ended: [Job] = []
        for await outcome in followUp.outcomes {
            ended += outcome.ended
            if ended.count >= count { return ended }
        }
        return ended
    }
}
