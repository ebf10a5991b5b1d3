// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Workflow

/// What one upstream made of a recording.
struct TranscriptionAttempt: Sendable {
    let transcript: Transcript?
    private let record: UpstreamAttempt

    init(_ upstream: Upstream, _ outcome: Result<Transcript, UpstreamFailure>, _ duration: Duration) {
        switch outcome {
        case .success(let heard):
            transcript = heard
            let model = heard.model ?? upstream.model
            record = UpstreamAttempt(provider: upstream.name, model: model, duration: duration, error: nil)
        case .failure(let failure):
            transcript = nil
            record = UpstreamAttempt(
                provider: upstream.name,
                model: upstream.model,
                duration: duration,
                error: failure.message
            )
        }
    }

    /// A place of the order that can't be called.
    init(skipped place: UpstreamList.Place) {
        transcript = nil
        switch place {
        case .unset(let name, let model, let variables):
            let names = variables.joined(separator: " or ")
            let cure = names.isEmpty ? "it has no address" : "it is not configured: set \(names)"
            record = UpstreamAttempt(provider: name, model: model, duration: .zero, error: cure, isSkipped: true)
        case .upstream(let upstream):
            record = UpstreamAttempt(provider: upstream.name, model: upstream.model, duration: .zero, error: nil)
        }
    }

    /// The record with `text` and `segments`.
    private var json: JSON {
        record.json
            .adding("text", transcript.map { .string($0.text) } ?? .null)
            .adding("segments", .array(transcript?.segments ?? []))
    }

    /// The result of a job: what the first success heard, and every attempt; nil without a success.
    static func result(_ attempts: [TranscriptionAttempt]) -> JSON? {
        guard let best = attempts.first(where: { $0.transcript != nil }), let heard = best.transcript else {
            return nil
        }
        return [
            "text": .string(heard.text),
            "segments": .array(heard.segments),
            "language": heard.language.map { .string($0) } ?? .null,
            "provider": .string(best.record.provider),
            "model": best.record.model.map { .string($0) } ?? .null,
            "duration_ms": .number(JSONNumber(Int(best.record.duration.wholeMilliseconds))),
            "attempts": .array(attempts.map(\.json)),
        ]
    }
}
