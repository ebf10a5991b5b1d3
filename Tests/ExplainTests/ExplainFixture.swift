// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerInProcess
import Foundation
import Ledger
import LedgerSQLite
import MallaTestKit
import MediaStoreFiles
import Plumbing
import ResultStoreInProcess
import Synchronization
import Testing
import Workflow

@testable import Explain

/// A mesh's stores without its roles: tests play the workers.
final class ExplainFixture: Sendable {
    let ledger: SQLiteLedger
    let broker = InProcessBroker()
    let work: LedgerFixture
    let explainer: Explainer
    /// How far the ledger's clock is behind.
    private let delay: Shift
    private let folder: String

    private final class Shift: Sendable {
        let value = Mutex(Duration.zero)
    }

    init(services: [String] = ["alpha", "beta"]) async throws {
        let folder = NSTemporaryDirectory() + "malla-explain-\(MeshID())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let shift = Shift()
        let ledger = try SQLiteLedger(path: "\(folder)/ledger.sqlite") { .now - shift.value.withLock { $0 } }
        try await ledger.migrate()
        self.folder = folder
        self.ledger = ledger
        delay = shift
        work = try await LedgerFixture(ledger: ledger, advanceClock: nil)
        explainer = Explainer(
            ledger: ledger,
            broker: broker,
            results: InProcessResultStore(),
            media: FilesMediaStore(folder: "\(folder)/media", bucket: "b", baseURL: "http://h", secret: [1]),
            services: Dictionary(
                uniqueKeysWithValues: services.map {
                    ($0, ServiceDefinition(name: $0, engine: .native(handler: "echo", options: [:])))
                }
            )
        )
    }

    deinit {
        // What is left of a temporary folder harms nobody.
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Lets `body` happen a while ago.
    func ago(_ duration: Duration, _ body: () async throws -> Void) async throws {
        delay.value.withLock { $0 = duration }
        try await body()
        delay.value.withLock { $0 = .zero }
    }

    /// Creates a direct job of a service.
    func job(_ service: String = "alpha", _ edit: (inout Job) -> Void = { _ in }) async throws -> JobID {
        var job = Job(id: MeshID(), service: service, createdAt: .now)
        edit(&job)
        try await ledger.create([JobRecord(job: job, input: Array("{}".utf8))])
        return job.id
    }

    func beat(
        _ name: String = "worker-1",
        services: [String] = ["alpha"],
        slots: Int = 2,
        running: Int = 0,
        isDraining: Bool = false,
        trouble: String? = nil
    ) async throws {
        let beat = WorkerBeat(
            worker: name,
            name: name,
            services: services,
            slots: slots,
            running: running,
            isDraining: isDraining,
            trouble: trouble.map { Array($0.utf8) }
        )
        _ = try await ledger.beat(beat, leases: [])
    }

    /// Claims the next jobs of a service.
    func claim(_ count: Int = 1, service: String = "alpha", worker: String = "worker-1") async throws -> [Job] {
        let leases = (0..<count).map { _ in LeaseID() }
        return try await ledger.claim(service: service, worker: worker, leases: leases).map(\.job)
    }

    func settle(_ job: Job, _ event: (LeaseID) -> JobEvent) async throws {
        guard let lease = job.lease else { return }
        let settlement = Settlement(job: job.id, event: event(lease), result: Array("{}".utf8))
        _ = try await ledger.settle([settlement], tasks: [], finishing: work.finishing)
    }

    func explain(_ id: MeshID) async throws -> Explanation {
        try #require(try await explainer.explain(id))
    }
}
