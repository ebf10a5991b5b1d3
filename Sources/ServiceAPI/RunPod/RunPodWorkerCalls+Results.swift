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

/// How workers hand in results, progress and parts of the output.
extension RunPodWorkerCalls {
    /// The largest chunk of a stream in bytes, as on RunPod.
    static let chunkLimit = 1 << 20
    /// What a body may have besides a result or a chunk of the full size.
    private static let envelope = 64 << 10
    /// How much of a body that is too large is read and dropped, so that its sender gets to read the answer.
    private static let drainLimit = 1 << 30
    private static let messageLimit = 8_000

    /// `POST /v2/{endpoint}/job-done/{worker}/{job}`: answered with 200 whatever comes, for the package drops a result
    /// that is refused, and takes the next job.
    func done(_ request: Request, _ context: ServiceContext, _ key: Key, _ id: String) async throws -> Response {
        try await during(key, request, context) {
            guard let id = MeshID(id) else { return .runPod(Array(#"{"status":"ignored"}"#.utf8)) }
            let body = try await body(of: request, upTo: Completion.maxResultSize + Self.envelope)
            let parsed = body.map(Self.parse) ?? .failure(RunPodResult.tooLarge(Completion.maxResultSize))
            if case .success(let json) = parsed, let progress = RunPodResult.progress(in: json) {
                try await tell(.progress, progress.bytes, of: id, key)
                await quietly { try await renew(key, .call) }
                return .runPod(Array("{}".utf8))
            }
            let result: RunPodResult? = if case .success(let json) = parsed { RunPodResult(json) } else { nil }
            table.change(key) { worker in
                worker.ending(id)
                if result?.wantsRestart == true { worker.askRestart() }
            }
            if result?.wantsRestart == true { table.endTakes(key) }
            do {
                try await patiently { try await settle(id, key, result?.outcome ?? parsed) }
            } catch {
                table.change(key) { $0.unrecorded(id) }
                await quietly { try await shorten(id, key) }
                throw error
            }
            return .runPod(Array("{}".utf8))
        }
    }

    /// `POST /v2/{endpoint}/job-stream/{worker}/{job}`: a part of the output.
    func stream(_ request: Request, _ context: ServiceContext, _ key: Key, _ id: String) async throws -> Response {
        try await during(key, request, context) {
            guard let id = MeshID(id) else { return .runPod(Array("{}".utf8)) }
            let tooLarge = Problem(.contentTooLarge, "a chunk has at most \(Self.chunkLimit) bytes")
            guard let body = try await body(of: request, upTo: Self.chunkLimit + Self.envelope) else { throw tooLarge }
            guard case .success(let chunk) = Self.parse(body), chunk.object != nil else {
                throw Problem(.badRequest, "a chunk is a JSON object with 'output'")
            }
            let output = (chunk["output"] ?? .null).bytes
            guard output.count <= Self.chunkLimit else { throw tooLarge }
            try await tell(.partial, output, of: id, key)
            await quietly { try await renew(key, .call) }
            return .runPod(Array("{}".utf8))
        }
    }

    /// Records how a job ended at a worker; one that is not the worker's own any more is passed over.
    func settle(_ id: JobID, _ key: Key, _ outcome: Result<JSON, JobError>) async throws {
        let holder = JobHolder(worker: key.worker, lease: nil)
        var record: JobRecord?
        do {
            switch outcome {
            case .success(let output):
                do {
                    record = try await desk.complete(id, by: holder, result: output, usage: nil)
                } catch let problem as Problem where problem.status != .conflict && problem.status != .notFound {
                    // It does not fit: that is the handler's failure, and nobody else's to hear of.
                    record = try await desk.fail(id, by: holder, JobError(.handler, problem.detail))
                }
            case .failure(var error):
                if error.message.utf8.count > Self.messageLimit {
                    error.message = String(error.message.prefix(Self.messageLimit))
                }
                record = try await desk.fail(id, by: holder, error)
            }
        } catch let problem as Problem {
            logger.debug(
                "a result came too late",
                metadata: [LogKey.job: "\(id)", LogKey.worker: "\(key.worker)", LogKey.error: "\(problem.detail)"]
            )
        }
        guard let job = record?.job, job.app != nil, job.state == .running, job.worker == key.worker,
            let lease = job.lease
        else {
            table.change(key) { $0.ended(id) }
            return
        }
        // Its app is away and will record it later; forgotten here, the job would look as if no result had come.
        table.change(key) { $0.reported(id, lease, at: .now) }
    }

    /// Gives a job the usual lease again, which a report to its app that failed may have made long.
    private func shorten(_ id: JobID, _ key: Key) async throws {
        let job = try await desk.find(id).job
        guard job.app != nil, job.worker == key.worker, let lease = job.lease, job.leaseUntil != nil else { return }
        _ = try await desk.renew([LeaseProbe(job: id, lease: lease)], for: timing.lease)
    }

    /// Fails the jobs that a worker has run to their end, and whose results never came.
    ///
    /// The package drops what JSON can't hold. Those whose result another API took in no longer run by the ledger.
    func failUnanswered(_ key: Key) async {
        let delay = timing.unanswered
        guard table.read(key, { $0.hasUnanswered(after: delay, at: .now) }) ?? false else { return }
        await quietly {
            try await look(key)
            for id in table.change(key, { $0.takeUnanswered(after: delay, at: .now) }) {
                let error = JobError(
                    .handler,
                    "the handler ended without a result that could be handed in; a result must be something that JSON can "
                        + "hold"
                )
                do {
                    try await settle(id, key, .failure(error))
                } catch {
                    table.change(key) { $0.remainsUnanswered(id, at: .now) }
                    throw error
                }
            }
        }
    }

    /// Passes on what a handler told; what comes after the end, or of a job that is another's, is dropped.
    private func tell(_ kind: HandlerEvent.Kind, _ json: [UInt8], of id: JobID, _ key: Key) async throws {
        var held = table.read(key) { $0.jobs[id] } ?? nil
        if held == nil {
            // Given by another API, perhaps.
            try await look(key)
            held = table.read(key) { $0.jobs[id] } ?? nil
        }
        guard let held, !held.hasResult else { return }
        let results = desk.parts.results
        if kind == .progress {
            results.put([(ResultKey(.progress, id, lease: held.lease), json)], timeToLive: resultTimeToLive)
        }
        let event = HandlerEvent(kind, json)
        results.append(event.bytes, to: ResultKey(.events, id, lease: held.lease), timeToLive: resultTimeToLive)
    }

    /// Tries for a while: the package itself tries only three times, and not for long.
    private func patiently(_ body: () async throws -> Void) async throws {
        let until = ContinuousClock.now + timing.patience
        let backoff = Backoff(base: .milliseconds(50), cap: .seconds(1))
        var failures = 0
        while true {
            do {
                return try await body()
            } catch {
                failures += 1
                guard ContinuousClock.now < until, !(error is CancellationError) else {
                    logger.warning("a worker's result can't be recorded now", metadata: [LogKey.error: "\(error)"])
                    throw Problem(.serviceUnavailable, "the result can't be recorded now; send it again", retryAfter: 2)
                }
                try await Task.sleep(for: backoff.delay(afterFailures: failures))
            }
        }
    }

    /// The content type says nothing: the package sends JSON as a form.
    private static func parse(_ body: [UInt8]) -> Result<JSON, JobError> {
        do throws(JSONError) {
            return .success(try JSON(parsing: body))
        } catch {
            return .failure(RunPodResult.unreadable(error.message))
        }
    }

    /// The whole body; nil when it is larger than `limit`.
    private func body(of request: Request, upTo limit: Int) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        var count = 0
        do {
            for try await chunk in request.body {
                count += chunk.readableBytes
                if count <= limit {
                    bytes += chunk.readableBytesView
                } else {
                    bytes = []
                    if count > Self.drainLimit { break }
                }
            }
        } catch {
            throw Problem(.serviceUnavailable, "the body broke off before its end", retryAfter: 1)
        }
        return count <= limit ? bytes : nil
    }
}
