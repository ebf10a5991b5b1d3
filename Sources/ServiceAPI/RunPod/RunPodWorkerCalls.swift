// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Ledger
import Logging
import NIOCore
import Plumbing
import ResultStore
import Workflow

/// What RunPod workers call: they take jobs, hear which to stop, hand in results; see the RunPod contract, section 2.
///
/// A job at a worker is held under a lease in the ledger like any other job held over HTTP; the lease is renewed by
/// what the worker's own process does, and by pings as long as that process has not gone.
struct RunPodWorkerCalls: Sendable {
    typealias Key = RunPodWorkerTable.Key

    let desk: JobDesk
    let table: RunPodWorkerTable
    /// How long events and progress stay in the result store.
    let resultTimeToLive: Duration

    var timing: RunPodWorkerTiming { table.timing }
    var logger: Logger { desk.parts.logger }

    /// How far this process's clock may be from the ledger's.
    private static let clockSlack: Duration = .seconds(120)

    /// What renews a worker's leases: a call of its own process, or a ping of its other one.
    enum Evidence: Sendable { case call, ping }

    /// Does what a call of a worker's own process asks for.
    func during<Value: Sendable>(
        _ key: Key,
        _ request: Request,
        _ context: ServiceContext,
        isForStops: Bool = false,
        _ body: () async throws -> Value
    ) async throws -> Value {
        table.begin(key, on: context.channel, lastJob: Self.lastJob(request), isForStops: isForStops)
        table.show(key)
        defer { table.end(key, on: context.channel) }
        return try await body()
    }

    /// Refuses an endpoint that is not there; late, for a worker asks again at once.
    func checkEndpoint(_ key: Key) async throws {
        guard desk.choice.services[key.endpoint] == nil else { return }
        try await Task.sleep(for: min(timing.hold, .seconds(2)))
        _ = try desk.choice.service(named: key.endpoint)
    }

    /// The package names the last job it ran in a header of its whole session.
    static func lastJob(_ request: Request) -> JobID? {
        HTTPField.Name("X-Request-ID").flatMap { request.headers[$0] }.flatMap { MeshID($0) }
    }

    /// Renews what a worker has shown to run, when that is due again.
    func renew(_ key: Key, _ evidence: Evidence) async throws {
        guard isRenewalDue(key) else { return }
        try await look(key)
        try await renewNow(key, evidence)
    }

    /// Whether a worker's leases have not been renewed for a while.
    func isRenewalDue(_ key: Key) -> Bool {
        guard let renewedAt = table.read(key, { $0.renewedAt }) ?? nil else { return true }
        return ContinuousClock.now - renewedAt >= timing.renewalInterval
    }

    /// Asks the ledger what a worker holds, and notes what it shall stop.
    func look(_ key: Key) async throws {
        let asked = ContinuousClock.now
        var query = JobQuery(limit: 1000)
        query.services = [key.endpoint]
        query.states = [.running]
        query.worker = key.worker
        var running: [JobID: LeaseID] = [:]
        var reported: Set<JobID> = []
        let longest = Timestamp.now + timing.lease + Self.clockSlack
        // One of the mesh's own workers may bear the same name; its jobs are not held by time.
        for job in try await desk.ledger.jobs(query) where job.worker == key.worker && job.leaseUntil != nil {
            running[job.id] = job.lease
            // No worker's call makes a lease that long; whoever reports a result to a job's app does.
            if job.app != nil, let until = job.leaseUntil, until > longest { reported.insert(job.id) }
        }
        let (found, ended) = (running, reported)
        table.change(key) { $0.compare(found, reported: ended, asked: asked) }
    }

    /// Renews what a worker has shown to run.
    func renewNow(_ key: Key, _ evidence: Evidence) async throws {
        let (now, grace) = (ContinuousClock.now, timing.orphanGrace)
        let probes = table.change(key) { worker in
            worker.renews(at: now)
            return switch evidence {
            case .call: worker.renewedByCall(at: now)
            case .ping: worker.renewedByPing(grace: grace, at: now)
            }
        }
        if !probes.isEmpty { _ = try await desk.renew(probes, for: timing.lease) }
    }

    /// Does something whose failure harms nobody now.
    func quietly(_ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            logger.debug("a worker's jobs can't be looked at now", metadata: [LogKey.error: "\(error)"])
        }
    }

    /// `GET /v2/{endpoint}/ping/{worker}`: comes from another process than the worker's own.
    func ping(_ request: Request, _ key: Key) async throws -> Response {
        guard desk.choice.services[key.endpoint] != nil else { return .runPod(Array("{}".utf8)) }
        let query = request.uri.queryParameters
        if query["status"] == "unhealthy" {
            let reason = ["check", "reason"].compactMap { query[Substring($0)].map(String.init) }.joined(
                separator: ": "
            )
            table.change(key) { $0.failsCheck("a check at its start failed: \(reason.prefix(500))", at: .now) }
            table.show(key)
            return .runPod(Array("{}".utf8))
        }
        let ids = (query["job_id"] ?? "").split(separator: ",").compactMap { MeshID(String($0)) }
        table.change(key) { $0.pings(Set(ids), at: .now) }
        if !ids.isEmpty { await quietly { try await renew(key, .ping) } }
        return .runPod(Array("{}".utf8))
    }

    /// `POST /v2/{endpoint}/drain/{worker}`: no more jobs for this worker, until another process takes its place.
    func drain(_ key: Key) throws -> Response {
        _ = try desk.choice.service(named: key.endpoint)
        guard table.read(key, { _ in true }) != nil else {
            throw Problem(.notFound, "no worker '\(key.worker)' has called this server for '\(key.endpoint)'")
        }
        let running = table.change(key) { worker in
            worker.drain(at: .now)
            return worker.running
        }
        table.endTakes(key)
        table.show(key)
        let json: JSON = [
            "worker": .string(key.worker), "draining": true, "running": .number(JSONNumber(running)),
        ]
        return .runPod(json.bytes)
    }
}

extension Response {
    /// RunPod's form of ``delivering(_:_:contentType:)``.
    static func runPod(_ bytes: [UInt8], _ delivery: AnswerDelivery) -> Response {
        delivering(bytes, delivery, contentType: "application/json")
    }

    /// The only answer that makes a worker wait before it asks again: 5 s.
    static func runPodPause(_ reason: String) -> Response {
        let json: JSON = ["error": .string(reason)]
        return Response(
            status: .tooManyRequests,
            headers: [.contentType: "application/json", .retryAfter: "5"],
            body: .init(byteBuffer: ByteBuffer(bytes: json.bytes))
        )
    }
}
