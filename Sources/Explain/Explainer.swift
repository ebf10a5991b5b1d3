// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
public import Ledger
public import MediaStore
public import Plumbing
public import ResultStore
public import Workflow

/// Answers "why is it not done?" for jobs and tasks, from the ledger and the workers' beats.
public struct Explainer: Sendable {
    let ledger: any Ledger
    private let broker: any Broker
    private let results: any ResultStore
    private let media: any MediaStore
    let services: [String: ServiceDefinition]

    /// A beat that is older counts as missed.
    static let silence: Duration = .seconds(6)
    /// How far a place in a queue is counted.
    static let countLimit = 10_000
    /// How many running jobs are looked at.
    static let runningLimit = 500
    /// How many ended jobs tell of run times.
    static let sample = 300

    /// Makes one.
    public init(
        ledger: any Ledger,
        broker: any Broker,
        results: any ResultStore,
        media: any MediaStore,
        services: [String: ServiceDefinition]
    ) {
        self.ledger = ledger
        self.broker = broker
        self.results = results
        self.media = media
        self.services = services
    }

    /// Explains a job, or a task by its id; nil when there is neither.
    public func explain(_ id: MeshID) async throws(LedgerError) -> Explanation? {
        if let record = try await ledger.job(id) { return try await explain(record.job) }
        return try await explain(task: id)
    }

    /// The servers that do not answer, all asked at the same time.
    func faults() async -> [ServerFault] {
        async let broker = Self.fault("broker") { try await self.broker.ping() }
        async let results = Self.fault("results") { try await self.results.ping() }
        async let media = Self.fault("media") { try await self.media.ping() }
        return await [broker, results, media].compactMap(\.self)
    }

    private static func fault(_ server: String, _ ping: @Sendable () async throws -> Void) async -> ServerFault? {
        do {
            try await ping()
            return nil
        } catch {
            return ServerFault(server: server, reason: "\(error)")
        }
    }

    /// The workers that serve a service.
    func workers(of service: String) async throws(LedgerError) -> [Explanation.Worker] {
        let now = Timestamp.now
        var query = JobQuery(limit: Self.runningLimit)
        query.services = [service]
        query.states = [.running]
        let running = Dictionary(grouping: try await ledger.jobs(query)) { $0.worker ?? "" }
        return try await ledger.workers().filter { $0.beat.services.contains(service) }.map { record in
            Explanation.Worker(
                record: record,
                jobs: (running[record.beat.worker] ?? []).map { .init(id: $0.id, startedAt: $0.startedAt ?? now) },
                troubles: Self.troubles(of: record, service)
            )
        }
    }

    private static func troubles(of record: WorkerRecord, _ service: String) -> [Explanation.Trouble] {
        guard let bytes = record.beat.trouble, let json = try? JSON(parsing: bytes) else { return [] }
        return (json[service]?.array ?? []).map { entry in
            Explanation.Trouble(
                at: entry["at"]?.string ?? "",
                message: entry["message"]?.string ?? "",
                output: entry["output"]?.string ?? ""
            )
        }
    }
}
