// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import BrokerInProcess
import Callbacks
import Fairness
import Foundation
import HTTPTransfer
import Hummingbird
import HummingbirdTesting
import Ledger
import LedgerSQLite
import MediaStoreFiles
import Plumbing
import ResultStore
import ResultStoreInProcess
import Synchronization
import Testing
import Workflow

@testable import ServiceAPI

/// An endpoint `echo` for RunPod workers over the core on embedded parts, behind a real HTTP server, with timers that
/// run fast.
struct RunPodWorkerFixture: Sendable {
    let folder: URL
    let parts: ServiceParts
    let api: ServiceAPI
    let settings: ServiceSettings
    let timing: RunPodWorkerTiming
    let logs = RecordedLogs()

    var desk: JobDesk { api.desk }
    var ledger: any Ledger { parts.ledger }

    init(
        tokens: [String] = [],
        output: JSON? = nil,
        timing edit: (inout RunPodWorkerTiming) -> Void = { _ in }
    ) async throws {
        var timing = RunPodWorkerTiming(forLease: .seconds(30))
        timing.hold = .seconds(2)
        timing.tick = .milliseconds(50)
        timing.orphanGrace = .milliseconds(300)
        timing.patience = .milliseconds(300)
        timing.unanswered = .milliseconds(50)
        edit(&timing)
        self.timing = timing
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("malla-runpod-worker-\(MeshID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let ledger = try SQLiteLedger(path: folder.appendingPathComponent("ledger.sqlite").path)
        try await ledger.migrate()
        let logger = logs.logger
        let transfer = CurlTransfer()
        parts = ServiceParts(
            ledger: ledger,
            broker: InProcessBroker(),
            results: InProcessResultStore(),
            media: FilesMediaStore(folder: folder.path + "/media", bucket: "m", baseURL: "http://m", secret: [1]),
            trustedHTTP: transfer,
            ranking: FairRanking(ledger: ledger),
            limits: LimitGate(),
            callbacks: CallbackSender(
                delivery: CallbackDelivery(
                    settings: CallbackSettings(),
                    trusted: transfer,
                    guarded: transfer,
                    ledger: ledger,
                    logger: logger
                )
            ),
            metrics: { "" },
            logger: logger
        )
        var service = ServiceDefinition(name: "echo", engine: .remote)
        service.maxAttempts = 1
        if let output { service.output = try JSONSchema(output) }
        settings = ServiceSettings(services: ["echo": service], serviceTokens: tokens)
        api = ServiceAPI(settings: settings, parts: parts)
    }

    /// Runs a body against the worker's calls behind a real socket, then removes everything.
    func serve(_ body: @escaping @Sendable (RunPodWorkerSite) async throws -> Void) async throws {
        let routes = RunPodWorkerRoutes(
            desk: desk,
            settings: settings,
            presence: RemotePresence(ledger: ledger, logger: logs.logger),
            timing: timing
        )
        let table = RouteTable(
            routes: routes.routes,
            access: AccessCheck(service: NamedTokens(settings.serviceTokens), mesh: NamedTokens([])),
            limits: parts.limits
        )
        let app = Application(router: table.router(), logger: logs.logger)
        let timers = timers()
        try await app.test(.live) { client in
            let port = try #require(client.port)
            let site = RunPodWorkerSite(port: port)
            defer { site.end() }
            try await body(site)
        }
        timers.cancel()
        await timers.value
        await parts.broker.close()
        await parts.ledger.close()
        try? FileManager.default.removeItem(at: folder)
    }

    /// The reaper and the time limits, which let waiting calls see what they free.
    private func timers() -> Task<Void, Never> {
        var limits = LedgerTimers.Limits()
        limits.reapAge = .milliseconds(500)
        let (timers, desk) = (LedgerTimers(ledger: ledger, apps: nil, limits: limits), desk)
        return Task {
            while !Task.isCancelled {
                try? await timers.turn { turn in
                    for outcome in turn.outcomes { desk.followUp.settled(outcome) }
                    if !turn.reaped.isEmpty || !turn.promoted.isEmpty { desk.bell.ring("echo") }
                }
                try? await Task.sleep(for: .milliseconds(30))
            }
        }
    }

    // MARK: Jobs

    @discardableResult
    func submit(_ input: JSON = ["n": 1], _ edit: (inout NewJob) -> Void = { _ in }) async throws -> JobID {
        let service = try desk.choice.service(named: "echo")
        var job = NewJob(service: service, input: input, labels: JobLabels())
        edit(&job)
        return try #require(try await desk.create([job]).first).job.id
    }

    /// The job as it has ended, waiting for that.
    func end(_ id: JobID) async throws -> JobRecord { try await desk.end(of: id, within: .seconds(40)) }

    func job(_ id: JobID) async throws -> Job { try await desk.find(id).job }

    /// Waits until a job is held by a worker, and returns it as it is then.
    func running(_ id: JobID, by worker: String? = nil) async throws -> Job {
        var job = try await job(id)
        while job.state != .running || worker.map({ $0 != job.worker }) ?? false {
            try await Task.sleep(for: .milliseconds(10))
            job = try await self.job(id)
        }
        return job
    }

    /// What was told of a job under its present or last lease, waiting until there is as much as asked for.
    func events(_ id: JobID, count: Int) async throws -> [HandlerEvent] {
        while true {
            if let lease = try await job(id).lease {
                let entries = try await parts.results.entries(
                    of: ResultKey(.events, id, lease: lease),
                    after: nil,
                    limit: 1000
                )
                if entries.count >= count { return entries.compactMap { HandlerEvent(bytes: $0.value) } }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    func worker(_ name: String, _ isSo: (WorkerRecord) -> Bool) async throws {
        while try await !ledger.workers().contains(where: { $0.beat.worker == name && isSo($0) }) {
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

extension JobRecord {
    /// The result, parsed.
    var output: JSON? { result.flatMap { try? JSON(parsing: $0) } }
}

/// Where a fixture listens, and the workers that run there.
final class RunPodWorkerSite: Sendable {
    let port: Int
    let client: ServiceClient
    private let processes = Mutex<[RunPodWorkerProcess]>([])

    init(port: Int) {
        self.port = port
        client = ServiceClient(base: "http://127.0.0.1:\(port)")
    }

    /// A connection of a worker's process.
    func connect() throws -> RunPodWorkerSocket { try RunPodWorkerSocket(port: port) }

    /// Starts a worker of the real package, which runs until the fixture ends.
    func start(_ name: String, handler: String) throws -> RunPodWorkerProcess {
        let process = try RunPodWorkerProcess(name, handler: handler, port: port)
        processes.withLock { $0.append(process) }
        return process
    }

    /// Ends the workers.
    func end() {
        processes.withLock { processes in
            for process in processes { process.kill() }
        }
    }
}
