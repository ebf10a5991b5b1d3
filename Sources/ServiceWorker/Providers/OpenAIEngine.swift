// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import HTTPTransfer
internal import Plumbing
public import Workflow

/// Has chats completed by upstreams that speak OpenAI's protocol: the first that succeeds.
///
/// See the job contract, "Built-in workers".
public final class OpenAIEngine: Engine {
    /// How many jobs run at once at most.
    public let slots: Int
    private let upstreams: UpstreamList
    private let options: EngineOptions
    private let answerLimit: Int
    private let streams: Bool
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
        self.options = options
        answerLimit = try options.size("max_answer", default: 32 << 20)
        streams = try options.flag("stream", default: true)
        upstreams = try UpstreamList(
            providers,
            service: service.name,
            environment: environment,
            timeout: .seconds(300)
        )
        self.http = http
        troubles = UpstreamTrouble(upstreams.fault)
    }

    /// What keeps jobs from being done: nothing is configured, or every provider failed the last one.
    public var trouble: [EngineTrouble] { troubles.list }

    /// Nothing is to be started.
    public func start() async {}

    /// Asks one provider after the other; the answer's pieces are passed on as they come.
    public func run(_ work: HandlerWork, context: any HandlerContext) async -> HandlerOutcome {
        if let fault = upstreams.fault { return .failed(fault) }
        do {
            let result = try await complete(work, context)
            troubles.succeeded()
            return .succeeded(result.bytes)
        } catch {
            guard !Task.isCancelled else { return .stopped }
            troubles.failed(error)
            return .failed(error)
        }
    }

    /// Nothing waits here: every job that came runs.
    public func drain() async {}

    /// Nothing is left to end: the worker has cancelled what runs.
    public func stop() async {}

    private func complete(_ work: HandlerWork, _ context: any HandlerContext) async throws(JobError) -> JSON {
        let chat = try ChatInput(work.inputJSON(), defaults: options["defaults"])
        let isStreamed = chat.wantsStream ?? streams
        let partial = PartialText(context)
        var attempts: [UpstreamAttempt] = []
        var failures: [(name: String, failure: UpstreamFailure)] = []
        for upstream in upstreams.upstreams {
            guard let model = upstream.model ?? chat.model else {
                throw JobError(.invalidInput, "no model is named: give 'model'", field: "/model")
            }
            let begin = ContinuousClock.now
            let call = ChatCall(http: http, upstream: upstream, answerLimit: answerLimit, trace: work.trace)
            let body = chat.body(model: model, stream: isStreamed)
            do {
                let answer = try await TimeLimit.run(
                    upstream.timeout,
                    orThrow: UpstreamFailure.tooLong(upstream.timeout)
                ) {
                    try await call.run(body: body) { if isStreamed { partial.add($0) } }
                }
                partial.finish()
                let duration = ContinuousClock.now - begin
                attempts.append(UpstreamAttempt(provider: upstream.name, model: model, duration: duration, error: nil))
                context.usage(
                    upstream.usage(promptTokens: answer.promptTokens, completionTokens: answer.completionTokens)
                )
                var result = answer.result(model: model)
                result["provider"] = .string(upstream.name)
                result["duration_ms"] = .number(JSONNumber(Int(duration.wholeMilliseconds)))
                result["attempts"] = .array(attempts.map(\.json))
                return .object(result)
            } catch {
                let failure = UpstreamFailure(error)
                if Task.isCancelled { throw JobError(.cancelled, "the job was stopped") }
                failures.append((upstream.name, failure))
                attempts.append(
                    UpstreamAttempt(
                        provider: upstream.name,
                        model: model,
                        duration: ContinuousClock.now - begin,
                        error: failure.message
                    )
                )
                context.log("provider \(upstream.name) failed: \(failure.message)")
                partial.restart()
                if failure.kind == .input { throw JobError(.invalidInput, "\(upstream.name): \(failure.message)") }
            }
        }
        throw JobError(exhausted: failures)
    }
}

extension HandlerWork {
    /// The input as JSON.
    ///
    /// - Throws: `JobError` when it is none.
    func inputJSON() throws(JobError) -> JSON {
        do {
            return try JSON(parsing: input)
        } catch {
            throw JobError(.invalidInput, "the input is not JSON: \(error.message) (byte \(error.offset))")
        }
    }
}
