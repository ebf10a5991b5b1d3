// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import Plumbing
import ServiceWorker
import Synchronization
import Workflow

/// Remembers what an engine tells of one job.
final class ToldContext: HandlerContext {
    private struct State {
        var partials: [JSON] = []
        var progresses: [JSON] = []
        var logs: [String] = []
        var usages: [JobUsage] = []
    }

    private let state = Mutex(State())
    /// Finished with the first partial output.
    let first = OneShot<Void>()

    var partials: [JSON] { state.withLock { $0.partials } }
    var progresses: [JSON] { state.withLock { $0.progresses } }
    var logs: [String] { state.withLock { $0.logs } }
    var usages: [JobUsage] { state.withLock { $0.usages } }
    /// The text of all partial output.
    var text: String { partials.compactMap { $0["content"]?.string }.joined() }

    func progress(_ json: [UInt8]) {
        state.withLock { $0.progresses.append((try? JSON(parsing: json)) ?? "unreadable") }
    }

    func partial(_ json: [UInt8]) {
        state.withLock { $0.partials.append((try? JSON(parsing: json)) ?? "unreadable") }
        first.finish(.success(()))
    }

    func log(_ line: String) { state.withLock { $0.logs.append(line) } }

    func usage(_ usage: JobUsage) { state.withLock { $0.usages.append(usage) } }
}

/// What the tests of engines with providers share.
enum ProviderFixture {
    static let http = CurlTransfer()

    static func service(_ name: String = "chat") -> ServiceDefinition {
        ServiceDefinition(name: name, engine: .remote)
    }

    static func work(_ input: JSON) -> HandlerWork {
        var job = Job(id: MeshID(), service: "chat", createdAt: .now)
        job.lease = MeshID()
        return HandlerWork(job: job, input: input.bytes, service: "chat")
    }

    static func openai(
        _ providers: [Provider],
        options: JSON = [:],
        environment: [String: String] = [:]
    ) throws
        -> OpenAIEngine
    {
        try OpenAIEngine(service(), providers: providers, options: options, environment: environment, http: http)
    }

    /// Server-sent events of a chat whose content is these pieces.
    static func events(_ pieces: [String], usage: (Int, Int)? = nil, end: String = "data: [DONE]\n\n") -> String {
        var text = event(["choices": [["index": 0, "delta": ["role": "assistant", "content": ""]]]])
        for piece in pieces {
            text += event(["model": "m-1", "choices": [["index": 0, "delta": ["content": .string(piece)]]]])
        }
        text += event(["choices": [["index": 0, "delta": [:], "finish_reason": "stop"]]])
        if let (prompt, completion) = usage {
            let used: JSON = [
                "prompt_tokens": .number(JSONNumber(prompt)), "completion_tokens": .number(JSONNumber(completion)),
            ]
            text += event(["choices": [], "usage": used])
        }
        return text + end
    }

    static func event(_ json: JSON) -> String { "data: \(json.text)\n\n" }

    /// A whole answer to a chat.
    static func completion(_ content: String, usage: JSON = .null) -> String {
        let message: JSON = ["role": "assistant", "content": .string(content)]
        let answer: JSON = [
            "model": "m-1", "choices": [["index": 0, "message": message, "finish_reason": "stop"]], "usage": usage,
        ]
        return answer.text
    }
}

extension HandlerOutcome {
    /// The names and ends of the attempts that a result records.
    var attempts: [String] {
        (output?["attempts"]?.array ?? []).map { "\($0["provider"]?.string ?? "?") \($0["status"]?.string ?? "?")" }
    }
}
