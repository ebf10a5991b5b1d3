// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import HTTPTransfer
internal import Plumbing
public import Workflow

/// Has jobs done by upstreams that take the input as the body of a POST and answer with the result as JSON.
///
/// The first upstream that succeeds counts.
public final class HTTPEngine: Engine {
    /// How many jobs run at once at most.
    public let slots: Int
    private let upstreams: UpstreamList
    private let headers: [(name: String, value: String)]
    private let answerLimit: Int
    private let http: any HTTPTransferring
    private let troubles: UpstreamTrouble

    /// Makes an engine.
    ///
    /// - Parameters:
    ///   - environment: the variables that the providers and options name.
    ///   - http: reaches the operator's own addresses.
    /// - Throws: `JobError` when a provider or an option can't be used. That none is configured is no error here: every
    ///   job fails with words that say so.
    public init(
        _ service: ServiceDefinition,
        providers: [Provider],
        options: JSON,
        environment: [String: String],
        http: any HTTPTransferring
    ) throws(JobError) {
        slots = max(1, service.concurrency)
        let options = EngineOptions(options, service: service.name, environment: environment)
        headers = options.texts("headers")
        answerLimit = try options.size("max_answer", default: Completion.maxResultSize)
        upstreams = try UpstreamList(
            providers,
            service: service.name,
            environment: environment,
            timeout: .seconds(60)
        )
        self.http = http
        troubles = UpstreamTrouble(upstreams.fault)
    }

    /// What keeps jobs from being done: nothing is configured, or every provider failed the last one.
    public var trouble: [EngineTrouble] { troubles.list }

    /// Nothing is to be started.
    public func start() async {}

    /// Posts the input to one provider after the other.
    public func run(_ work: HandlerWork, context: any HandlerContext) async -> HandlerOutcome {
        if let fault = upstreams.fault { return .failed(fault) }
        var failures: [(name: String, failure: UpstreamFailure)] = []
        for upstream in upstreams.upstreams {
            do {
                let answer = try await post(work, to: upstream)
                troubles.succeeded()
                tell(answer, of: upstream, to: context)
                return .succeeded(answer.bytes)
            } catch {
                guard !Task.isCancelled else { return .stopped }
                let failure = UpstreamFailure(error)
                failures.append((upstream.name, failure))
                context.log("provider \(upstream.name) failed: \(failure.message)")
                if failure.kind == .input { break }
            }
        }
        // A fault of the input ends the row, whatever failed before it.
        let error =
            if let last = failures.last, last.failure.kind == .input {
                JobError(.invalidInput, "\(last.name): \(last.failure.message)")
            } else {
                JobError(exhausted: failures)
            }
        troubles.failed(error)
        return .failed(error)
    }

    /// Nothing waits here: every job that came runs.
    public func drain() async {}

    /// Nothing is left to end: the worker has cancelled what runs.
    public func stop() async {}

    private func post(_ work: HandlerWork, to upstream: Upstream) async throws -> JSON {
        var request = TransferRequest("POST", upstream.url, timeout: upstream.timeout, answerLimit: answerLimit)
        // The id lets an upstream see that an attempt is repeated.
        request.headers = upstream.headers(trace: work.trace)
        request.headers += [("Content-Type", "application/json"), ("Idempotency-Key", "\(work.job.id)")] + headers
        request.body = .bytes(work.input.isEmpty ? Array("null".utf8) : work.input)
        let answer = try await http.send(request)
        let type = answer.head["content-type"]?.lowercased()
        guard (200...299).contains(answer.head.status) else {
            throw UpstreamFailure(status: answer.head.status, contentType: type, body: answer.body, from: upstream)
        }
        guard !answer.body.isEmpty else { return .null }
        do {
            return try JSON(parsing: answer.body, maxDepth: Completion.maxResultDepth)
        } catch {
            throw UpstreamFailure.unreadable("its answer is not JSON: \(error.message) (byte \(error.offset))")
        }
    }

    private func tell(_ answer: JSON, of upstream: Upstream, to context: any HandlerContext) {
        guard let usage = answer["usage"], usage.object != nil else { return }
        let told = JobUsage(json: usage)
        var known = upstream.usage(promptTokens: told.promptTokens, completionTokens: told.completionTokens)
        known.gpuMilliseconds = told.gpuMilliseconds
        known.costUSD = told.costUSD ?? known.costUSD
        context.usage(known)
    }
}
