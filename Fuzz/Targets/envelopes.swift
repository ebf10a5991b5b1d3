// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import ResultStore
import Workflow

/// What comes out of queues, rows and other processes.
///
/// The first byte tells the kind, the rest is the envelope.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEnvelopes(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        guard let kind = bytes.first else { return }
        let body = Array(bytes.dropFirst())
        switch kind {
        case UInt8(ascii: "c"): completion(body)
        case UInt8(ascii: "m"): messages(body)
        case UInt8(ascii: "h"): handOver(Choices.json(body, words))
        case UInt8(ascii: "l"): rows(Choices.json(body, words))
        case UInt8(ascii: "r"): run(body)
        case UInt8(ascii: "d"): definition(body)
        default: texts(String(decoding: body, as: UTF8.self))
        }
    }
}

private let words = [
    "job", "lease", "ms", "usage", "error", "died", "resultMedia", "resultSize", "category", "message", "final",
    "field",
    "handler", "timeout", "gpu_ms", "cost_usd", "prompt_tokens", "jobs", "service", "definition", "traceparent",
    "reason",
    "retry_after_ms", "owner_service", "user", "priority", "ttl_ms", "s3_config", "envelope", "grace", "webhook",
    "0199a0b2-1d2a-7c57-9c1e-0f4a2f3f9c11", "",
]

private func completion(_ body: [UInt8]) {
    var variants = [body]
    // What is no completion becomes one: a head made of choices.
    let json = Choices.json(body, words)
    let id: JSON = "0199a0b2-1d2a-7c57-9c1e-0f4a2f3f9c11"
    variants.append(json.adding("job", id).adding("lease", id).bytes + [UInt8(ascii: "\n")] + body)
    for variant in variants {
        guard let completion = try? Completion(body: variant) else { continue }
        guard let again = try? Completion(body: completion.body) else { fatalError("a completion can't be read back") }
        Fuzz.same(again, completion, "the completion after a round trip")
        _ = completion.event
    }
}

private func messages(_ body: [UInt8]) {
    if let cancellation = JobCancellation(body: body) {
        Fuzz.same(JobCancellation(body: cancellation.body), cancellation, "the cancellation after a round trip")
        // Both come through one queue: what is one must not be the other.
        Fuzz.require((try? Completion(body: body)) == nil, "a message is a cancellation and a completion")
    }
    if let parts = try? CompletionBatch.bodies(of: body), parts.count > 1 {
        let again = try? CompletionBatch.bodies(of: CompletionBatch.body(of: parts))
        Fuzz.same(again, parts, "the batch after a round trip")
    }
    let ticket = Ticket(body: body)
    Fuzz.same(Ticket(body: ticket.body), ticket, "the ticket after a round trip")
    if let hint = Hint(bytes: body) { Fuzz.same(Hint(bytes: hint.bytes), hint, "the hint after a round trip") }
    if let event = HandlerEvent(bytes: body) { Fuzz.same(event.bytes, body, "the event after a round trip") }
}

private func handOver(_ json: JSON) {
    if let handOver = try? HandOver(reading: json) {
        Fuzz.same(try? HandOver(reading: handOver.json), handOver, "the hand-over after a round trip")
    }
    if let refusal = HandOver.Refusal(json: json) {
        Fuzz.same(HandOver.Refusal(json: refusal.json), refusal, "the refusal after a round trip")
    }
}

private func rows(_ json: JSON) {
    if let error = JobError(json: json) { Fuzz.same(JobError(json: error.json), error, "the error after a round trip") }
    let labels = JobLabels(json: json)
    Fuzz.same(JobLabels(json: labels.json), labels, "the labels after a round trip")
    let usage = JobUsage(json: json)
    Fuzz.same(JobUsage(json: usage.json), usage, "the usage after a round trip")
}

private func run(_ body: [UInt8]) {
    guard let run = try? Run(encoded: body) else { return }
    Fuzz.same(run.encoded, body, "the run after a round trip")
}

private func definition(_ body: [UInt8]) {
    guard let definition = try? WorkflowDefinition(stored: body) else { return }
    Fuzz.same(definition.stored, body, "the definition as it is stored")
    let now = Timestamp(microseconds: 1_000_000)
    let engine = RunEngine(definition: definition)
    let (run, effects) = engine.start(payload: Array("{}".utf8), at: now)
    Fuzz.require(run.state != .running || !effects.isEmpty, "a run waits for nothing")
    guard case .done(let ended, _) = engine.advance(run, [.cancelled], payload: [], outputs: [:], at: now) else {
        return
    }
    Fuzz.require(ended.state != .running, "a cancelled run goes on")
}

/// Short texts with a form of their own.
private func texts(_ text: String) {
    if let id = MeshID(text) {
        Fuzz.same(MeshID(id.description), id, "the id after a round trip")
        Fuzz.same(MeshID(bytes: id.bytes), id, "the id after a round trip as bytes")
    }
    if let moment = Timestamp(rfc3339: text) {
        Fuzz.same(Timestamp(rfc3339: moment.rfc3339)?.rfc3339, moment.rfc3339, "the moment after a round trip")
    }
    if let duration = Quantity.duration(text) {
        Fuzz.require(duration >= .zero, "a duration below zero")
        _ = Quantity.text(duration)
    }
    if let bytes = Quantity.bytes(text) { Fuzz.require(bytes >= 0, "a size below zero") }
    if let error = Optional(RunPodResult.error(text)) { Fuzz.same(JobError(json: error.json), error, "the error") }
}
