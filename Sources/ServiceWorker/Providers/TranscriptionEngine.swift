// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import HTTPTransfer
public import MediaStore
internal import Plumbing
internal import Synchronization
public import Workflow

/// Turns recordings into text by upstreams in their order; the first that succeeds gives the result.
///
/// See the job contract, "Built-in workers". With the option `compare` every upstream is asked, so that `attempts` holds
/// what each of them heard.
public final class TranscriptionEngine: Engine {
    /// How many jobs run at once at most.
    public let slots: Int
    private let upstreams: UpstreamList
    private let settings: TranscriptionSettings
    private let http: any HTTPTransferring
    private let guarded: any HTTPTransferring
    private let media: any MediaStore
    private let troubles: UpstreamTrouble
    /// What each WhisperX server was found to speak.
    private let found = Mutex<[String: SpeechFamily]>([:])

    /// Makes an engine.
    ///
    /// - Parameters:
    ///   - environment: the variables that the providers and options name.
    ///   - http: reaches the operator's own addresses.
    ///   - guarded: reaches addresses that clients give, under the network rules.
    ///   - media: holds the recordings.
    /// - Throws: `JobError` when a provider or an option can't be used. That none is configured is no error here: every
    ///   job fails with words that say so.
    public init(
        _ service: ServiceDefinition,
        providers: [Provider],
        options: JSON,
        environment: [String: String],
        http: any HTTPTransferring,
        guarded: any HTTPTransferring,
        media: any MediaStore
    ) throws(JobError) {
        slots = max(1, service.concurrency)
        settings = try TranscriptionSettings(options, service: service.name, environment: environment)
        upstreams = try UpstreamList(
            try settings.ordered(providers),
            service: service.name,
            environment: environment,
            timeout: .seconds(900)
        )
        self.http = http
        self.guarded = guarded
        self.media = media
        troubles = UpstreamTrouble(upstreams.fault)
    }

    /// What keeps jobs from being done: nothing is configured, or every provider failed the last one.
    public var trouble: [EngineTrouble] { troubles.list }

    /// Nothing is to be started.
    public func start() async {}

    /// Asks the upstreams in their order and keeps what each of them answered.
    public func run(_ work: HandlerWork, context: any HandlerContext) async -> HandlerOutcome {
        if let fault = upstreams.fault { return .failed(fault) }
        do {
            let input = try SpeechInput(work.inputJSON())
            let audio = try await input.audio(media: media, guarded: guarded, limit: settings.audioLimit)
            let result = try await transcribe(input, audio, work.trace, context)
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

    private func transcribe(
        _ input: SpeechInput,
        _ audio: SpeechAudio,
        _ trace: String?,
        _ context: any HandlerContext
    ) async throws(JobError) -> JSON {
        var attempts: [TranscriptionAttempt] = []
        var failures: [(name: String, failure: UpstreamFailure)] = []
        for (index, place) in upstreams.places.enumerated() {
            guard case .upstream(let upstream) = place else {
                attempts.append(TranscriptionAttempt(skipped: place))
                continue
            }
            if !settings.compares, attempts.contains(where: { $0.transcript != nil }) { break }
            context.progress(
                JSON.object(
                    JSONObject([
                        ("provider", .string(upstream.name)), ("done", .number(JSONNumber(index))),
                        ("of", .number(JSONNumber(upstreams.places.count))),
                    ])
                ).bytes
            )
            let call = settings.call(upstream, input, audio, http: http, trace: trace)
            let begin = ContinuousClock.now
            do {
                let transcript = try await TimeLimit.run(
                    upstream.timeout,
                    orThrow: UpstreamFailure.tooLong(upstream.timeout)
                ) { try await self.run(call) }
                context.usage(transcript.usage)
                attempts.append(TranscriptionAttempt(upstream, .success(transcript), ContinuousClock.now - begin))
            } catch {
                let failure = UpstreamFailure(error)
                if Task.isCancelled { throw JobError(.cancelled, "the job was stopped") }
                failures.append((upstream.name, failure))
                attempts.append(TranscriptionAttempt(upstream, .failure(failure), ContinuousClock.now - begin))
                context.log("provider \(upstream.name) failed: \(failure.message)")
            }
        }
        guard let result = TranscriptionAttempt.result(attempts) else { throw JobError(exhausted: failures) }
        return result
    }

    /// Calls an upstream in its own words; those of a WhisperX server are found by trying and kept.
    private func run(_ call: SpeechCall) async throws -> Transcript {
        let kind = call.upstream.kind ?? SpeechFamily.unknown
        if let family = SpeechFamily(rawValue: kind) { return try await call.run(family) }
        if let named = SpeechFamily.named(by: call.upstream.url) { return try await call.run(named.family) }
        let name = call.upstream.name
        let known = found.withLock { $0[name] }
        for family in (known.map { [$0] } ?? []) + SpeechFamily.whisperX.filter({ $0 != known }) {
            do {
                let transcript = try await call.run(family)
                found.withLock { $0[name] = family }
                return transcript
            } catch let failure as UpstreamFailure where failure.status == 404 || failure.status == 405 {
                // It does not know the call: another family, or another server than before.
                found.withLock { $0[name] = nil }
            } catch let failure as UpstreamFailure where failure.status != nil {
                // It knows the call: what it says of this recording is its answer.
                found.withLock { $0[name] = family }
                throw failure
            }
        }
        throw UpstreamFailure(
            .refused,
            "it has none of /asr, /speech-to-text and /v1/audio/transcriptions; is the address that of a WhisperX server?"
        )
    }
}
