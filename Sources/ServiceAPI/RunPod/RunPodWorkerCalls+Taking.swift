// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Ledger
import Logging
import NIOCore
import Plumbing
import ServiceLifecycle
import Workflow

/// How workers get jobs.
extension RunPodWorkerCalls {
    /// The most jobs that one call is given.
    static let batches = 1...100

    /// `GET /v2/{endpoint}/job-take/{worker}` and `job-take-batch`: held open until there are jobs, then 204.
    func take(_ request: Request, _ context: ServiceContext, _ key: Key, asList: Bool) async throws -> Response {
        try await checkEndpoint(key)
        return try await during(key, request, context) {
            let asked = asList ? Self.member("batch_size", of: request).flatMap { Int($0) } ?? 1 : 1
            let limit = min(max(asked, Self.batches.lowerBound), Self.batches.upperBound)
            // Only the package tells the truth here: it hands a result in before it counts the job as over.
            let isIdle =
                Self.member("job_in_progress", of: request) == "0"
                && request.headers[.userAgent]?.hasPrefix("RunPod") == true
            do {
                // First, so that jobs are known here that another API gave, or that an earlier process left.
                let isDue = isRenewalDue(key)
                if isDue { try await look(key) }
                table.change(key) {
                    $0.asks(for: limit, lastJob: Self.lastJob(request), isIdle: isIdle, at: .now)
                }
                await failUnanswered(key)
                if isDue { try await renewNow(key, .call) }
                if let refusal = table.read(key, { $0.refusal }) ?? nil { return .runPodPause(refusal) }
                return try await answer(try await hold(key, context, limit), key, asList: asList)
            } catch let error as LedgerError {
                // Whatever else it would get, it would ask again within 10 ms.
                return .runPodPause("the ledger does not answer: \(error)")
            } catch is CancellationError {
                return Response(status: .noContent)
            }
        }
    }

    private func hold(_ key: Key, _ context: ServiceContext, _ limit: Int) async throws -> [JobRecord] {
        let until = ContinuousClock.now + timing.hold
        while true {
            // It could not be sure to deliver what it claims, and would not be kept waiting.
            if Task.isShuttingDownGracefully { return [] }
            let (records, isOver) = try await desk.bell.listening(for: [key.endpoint]) { bell in
                // A bell for the whole turn: what happens while the ledger is asked is not missed.
                guard table.hold(key, for: .jobs, on: context.channel, bell) else { return ([JobRecord](), true) }
                defer { table.release(key, bell) }
                let records = try await claim(key, limit)
                if !records.isEmpty {
                    guard table.mayGive(key, on: context.channel) else {
                        try await desk.handBack(records.compactMap(\.probe))
                        return ([], true)
                    }
                    return (records, true)
                }
                let rest = until - .now
                if rest <= .zero { return ([], true) }
                try await bell.value(within: min(rest, timing.tick))
                table.show(key)
                return ([], false)
            }
            if isOver { return records }
            await failUnanswered(key)
        }
    }

    /// In a task of its own: a claim whose wait were cancelled would leave its jobs with nobody until the lease ends.
    private func claim(_ key: Key, _ limit: Int) async throws -> [JobRecord] {
        let (desk, duration) = (desk, timing.lease)
        return try await Task {
            try await desk.claim(services: [key.endpoint], worker: key.worker, limit: limit, lease: duration)
        }.value
    }

    private func answer(_ records: [JobRecord], _ key: Key, asList: Bool) async throws -> Response {
        guard !records.isEmpty else { return Response(status: .noContent) }
        let probes = records.compactMap(\.probe)
        table.change(key) { worker in
            for probe in probes { worker.give(probe.job, probe.lease, at: .now) }
        }
        let objects = records.map(Self.object)
        let delivery = AnswerDelivery { [self] in
            table.change(key) { worker in
                for probe in probes { worker.takeBack(probe.job, probe.lease) }
            }
            await desk.handBackLost(probes)
        }
        guard asList else { return .runPod(objects[0], delivery) }
        return .runPod(
            [UInt8(ascii: "[")] + objects.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")],
            delivery
        )
    }

    /// A member of the query; the package adds its own behind a `&` alone, also where its address has no `?`.
    static func member(_ name: String, of request: Request) -> String? {
        if let value = request.uri.queryParameters[Substring(name)] { return String(value) }
        let prefix = "\(name)="
        let member = request.uri.path.split(separator: "&").dropFirst().last { $0.hasPrefix(prefix) }
        return member.map { String($0.dropFirst(prefix.count)) }
    }

    /// The job as its handler gets it: nothing of the caller's but the input and the storage that it named for outputs.
    static func object(_ record: JobRecord) -> [UInt8] {
        var bytes = Array(#"{"id":"\#(record.job.id)","input":"#.utf8)
        bytes += record.input.isEmpty ? Array("null".utf8) : record.input
        if let storage = record.job.labels?.storage { bytes += Array(#","s3Config":"#.utf8) + storage.bytes }
        return bytes + [UInt8(ascii: "}")]
    }
}

extension JobRecord {
    /// The job and its lease; nil while it waits.
    var probe: LeaseProbe? { job.lease.map { LeaseProbe(job: job.id, lease: $0) } }
}
