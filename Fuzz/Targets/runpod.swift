// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

@testable import ServiceAPI

/// The bodies of the RunPod dialect and of the job API, as clients and workers send them.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRunPod(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        guard let kind = bytes.first else { return }
        let body = Array(bytes.dropFirst())
        let json = Choices.json(body, words)
        switch kind {
        case UInt8(ascii: "s"): submission(json)
        case UInt8(ascii: "i"): submission(["input": json])
        case UInt8(ascii: "c"): submission(["input": ["contract": json.adding("contract_version", "2.1")]])
        case UInt8(ascii: "r"): result(body, json)
        case UInt8(ascii: "j"): job(json.adding("task_type", "speech"))
        default: stream(json)
        }
    }
}

private let words = [
    "input", "webhook", "webhookV2", "policy", "executionTimeout", "ttl", "lowPriority", "s3Config", "accessId",
    "bucketName", "contract", "contract_version", "2.1", "target", "module", "service", "source", "system", "options",
    "data", "asr", "grace", "GRACE", "status", "completed", "IN_PROGRESS", "output", "error", "stopPod", "data: x",
    "error_message", "error_type", "category", "content", "choices", "object", "usage", "model", "tool_calls", "index",
    "finish_reason", "task_type", "model_profile", "owner_service", "priority", "max_attempts", "run_after", "deadline",
    "2026-11-21T00:05:16Z", "dedup_key", "user", "https://example.com/a", "data: a\r\ndata: [DONE]\n", "",
]

private let now = Timestamp(microseconds: 1_792_000_000_000_000)

private let services: [String: ServiceDefinition] = Dictionary(
    uniqueKeysWithValues: ["grace-asr", "grace-ocr", "plain"].map { name in
        let text = """
            service: \(name)
            engine: native
            handler: any
            takes: [{task_type: \(name == "plain" ? "speech" : name)}]
            \(name == "plain" ? "" : "modules: [\(name.dropFirst(6))]")
            input: {type: object, properties: {module: {type: string}, data: {}, options: {type: object}}}
            """
        guard let service = try? DefinitionLoader.service(yaml: text, folder: "/nowhere") else {
            fatalError("the target's own service is wrong")
        }
        return (name, service)
    }
)

private func submission(_ json: JSON) {
    guard let submission = try? RunPodSubmission(reading: json) else { return }
    Fuzz.require(submission.input != .null, "a submission without an input")
    Fuzz.require(submission.timeToLive >= .seconds(10), "a life of \(submission.timeToLive)")
    for endpoint in services.keys {
        guard let job = try? RunPodClientJob(services: services, now: now).make(submission, at: endpoint) else {
            continue
        }
        Fuzz.same(JobLabels(json: job.labels.json), job.labels, "the labels after a round trip")
        _ = job.service.input?.validate(job.input)
        Fuzz.require(job.deadline.map { $0 > now } ?? true, "a job that is late when it begins")
    }
}

private func result(_ body: [UInt8], _ json: JSON) {
    let result = RunPodResult(json)
    let progress = RunPodResult.progress(in: json)
    if json["status"]?.string == "IN_PROGRESS" { Fuzz.require(progress != nil, "progress is taken for a result") }
    var job = Job(id: MeshID(high: 1, low: 2), service: "plain", createdAt: now)
    var labels = JobLabels()
    labels.envelope = .contract
    for state in JobState.allCases {
        job.state = state
        if case .failure(let error) = result.outcome { job.error = error }
        for wrapped in [nil, labels] {
            job.labels = wrapped
            let usage = JobUsage(json: json)
            let status = RunPodStatus(
                job,
                result: json.bytes,
                usage: usage,
                progress: progress?.bytes,
                input: json.bytes
            )
            // What is put together from bytes is one JSON object, whatever the parts are.
            let read = try? JSON(parsing: status.bytes, maxDepth: 256)
            Fuzz.same(read?["id"]?.string, job.id.description, "the status")
            Fuzz.same(read?["status"]?.string, status.state.rawValue, "the status")
        }
    }
    _ = RunPodResult.error(String(decoding: body, as: UTF8.self))
}

private func job(_ json: JSON) {
    let reader = NewJobReader(choice: ServiceChoice(services: services), caller: "caller", trace: nil, key: nil)
    guard let job = try? reader.job(from: json) else { return }
    Fuzz.same(JobLabels(json: job.labels.json), job.labels, "the labels after a round trip")
    Fuzz.require(JobLabels.priorities.contains(job.labels.priority), "a priority of \(job.labels.priority)")
    for text in [job.labels.user, job.labels.ownerRef, job.labels.dedupKey] {
        let isPlain = text?.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } ?? true
        Fuzz.require(isPlain, "a label with control characters")
    }
}

private func stream(_ json: JSON) {
    let answer = OpenAIAnswer(id: "a", created: 0, model: "m")
    Fuzz.require(JSONWriterCheck.isReadable(answer.whole(json)), "an answer that is no JSON")
    for includesUsage in [false, true] {
        var stream = OpenAIStream(answer, includesUsage: includesUsage)
        let events = stream.events(json) + stream.end(json)
        Fuzz.require(events.suffix(OpenAIAnswer.end.count).elementsEqual(OpenAIAnswer.end), "a stream without its end")
        let ends = events.split(separator: UInt8(ascii: "\n")).filter { $0.elementsEqual("data: [DONE]".utf8) }
        Fuzz.same(ends.count, 1, "the ends of a stream")
    }
}

private enum JSONWriterCheck {
    static func isReadable(_ json: JSON) -> Bool { (try? JSON(parsing: json.bytes, maxDepth: 256)) == json }
}
