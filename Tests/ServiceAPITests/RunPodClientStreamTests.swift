// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Ledger
import Plumbing
import ResultStore
import Synchronization
import Testing
import Workflow

@testable import ServiceAPI

/// `/stream`, and OpenAI's API in front of an endpoint.
@Suite(.timeLimit(.minutes(1))) struct RunPodClientStreamTests {
    private static func part(_ json: JSON) -> HandlerEvent { HandlerEvent(.partial, json.bytes) }

    @Test func everyPartIsHandedOutOnce() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let id = try await client.run("talk", ["input": 1])
            let queued = try await client.stream("talk", id)
            #expect(queued.status == "IN_QUEUE" && queued.parts == [])
            let record = try await fixture.claim("talk")
            try fixture.tell(
                record,
                [Self.part(["n": 0]), .init(.progress, [0x31]), .init(.log, [0x32]), Self.part(1)]
            )
            let first = try await client.stream("talk", id)
            #expect(first.status == "IN_PROGRESS" && first.parts == [["output": ["n": 0]], ["output": 1]])
            let none = try await client.stream("talk", id)
            #expect(none.status == "IN_PROGRESS" && none.parts == [])
            try fixture.tell(record, [Self.part("last")])
            let holder = JobHolder(worker: "w", lease: record.job.lease)
            _ = try await fixture.desk.complete(record.job.id, by: holder, result: [], usage: nil)
            let last = try await client.stream("talk", id)
            #expect(last.status == "COMPLETED" && last.parts == [["output": "last"]])
            let over = try await client.stream("talk", id)
            #expect(over.status == "COMPLETED" && over.parts == [])
        }
    }

    @Test func theStatusIsFinalOnlyOnceAllIsHandedOut() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let id = try await client.run("talk", ["input": 1])
            let record = try await fixture.claim("talk")
            try fixture.tell(record, (0..<1203).map { Self.part(.number(JSONNumber($0))) })
            let holder = JobHolder(worker: "w", lease: record.job.lease)
            _ = try await fixture.desk.fail(record.job.id, by: holder, JobError(.handler, "broke"))
            var seen: [Int] = []
            var statuses: [String] = []
            repeat {
                let answer = try await client.stream("talk", id)
                statuses.append(try #require(answer.status))
                seen += try #require(answer.parts).compactMap { $0["output"]?.int }
            } while statuses.last == "IN_PROGRESS" && statuses.count < 10
            #expect(seen == Array(0..<1203) && statuses.last == "FAILED" && statuses.count >= 3)
        }
    }

    @Test func anOpenAICallIsAJobWhoseResultIsTheAnswer() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let chat: JSON = ["model": "m", "messages": [["role": "user", "content": "hi"]]]
            async let answer = client.send("POST", "/v2/talk/openai/v1/chat/completions", chat.bytes)
            try await fixture.work("talk") { input in
                #expect(input == ["openai_route": "/v1/chat/completions", "openai_input": chat])
                return [["id": "c", "object": "chat.completion", "choices": []]]
            }
            let done = try await answer
            #expect(done.status == 200 && done.json["id"] == "c", "\(done.text)")

            async let models = client.send("GET", "/v2/talk/openai/v1/models")
            try await fixture.work("talk") { ["object": "list", "data": [$0["openai_route"] ?? ""]] }
            #expect(try await models.json["data"] == ["/v1/models"])

            async let bad = client.send("POST", "/v2/talk/openai/v1/completions", "{}".utf8Bytes)
            try await fixture.work("talk") { _ in throw JobError(.invalidInput, "no prompt") }
            let refused = try await bad
            #expect(refused.status == 400 && refused.json["error"]?["message"] == "no prompt", "\(refused.text)")
            let unknown = try await client.send("POST", "/v2/nobody/openai/v1/embeddings", "{}".utf8Bytes)
            #expect(unknown.status == 404 && unknown.json["error"]?["message"]?.string?.contains("talk") == true)
        }
    }

    @Test func mallasOwnChatEngineAnswersInOpenAIsShape() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let chat: JSON = ["model": "m", "messages": [["role": "user", "content": "hi"]]]
            async let answer = client.send("POST", "/v2/chat/openai/v1/chat/completions", chat.bytes)
            try await fixture.work("chat") { input in
                #expect(input == chat)
                return ["content": "hello", "model": "big", "usage": ["prompt_tokens": 1], "finish_reason": "stop"]
            }
            let done = try await answer.json
            let choice = done["choices"]?.array?.first
            #expect(choice?["message"] == ["role": "assistant", "content": "hello"] && done["model"] == "big")
            #expect(choice?["finish_reason"] == "stop" && done["usage"] == ["prompt_tokens": 1])
            for route in ["embeddings", "completions"] {
                let wrong = try await client.send("POST", "/v2/chat/openai/v1/\(route)", "{}".utf8Bytes)
                #expect(wrong.status == 400 && wrong.text.contains("chat/completions"), "\(wrong.text)")
            }
            let models = try await client.send("GET", "/v2/chat/openai/v1/models").json
            #expect(models["data"]?.array?.map { $0["id"] } == ["chat"], "\(models)")
            #expect(models["data"]?.array?.first?["object"] == "model" && models["object"] == "list")
        }
    }

    @Test func aStreamedCallAnswersWithEvents() async throws {
        let fixture = try await RunPodClientFixture()
        try await fixture.serve { client in
            let chat = #"{"model":"m","stream":true,"messages":[]}"#.utf8Bytes
            async let answer = client.send("POST", "/v2/talk/openai/v1/chat/completions", chat)
            let record = try await fixture.claim("talk")
            let raw = "data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n"
            try fixture.tell(record, [Self.part(.string(raw)), Self.part("hel"), Self.part(["content": "lo"])])
            let holder = JobHolder(worker: "w", lease: record.job.lease)
            _ = try await fixture.desk.complete(record.job.id, by: holder, result: [], usage: nil)
            let done = try await answer
            #expect(done.status == 200 && done["content-type"]?.hasPrefix("text/event-stream") == true)
            let events = done.text.components(separatedBy: "\n\n").filter { !$0.isEmpty }
            #expect(
                events.count == 6 && Array(events.prefix(2)) == [#"data: {"a":1}"#, #"data: {"a":2}"#],
                "\(events)"
            )
            #expect(events[2].contains(#""delta":{"role":"assistant","content":"hel"}"#), "\(events)")
            #expect(events[3].contains(#""delta":{"content":"lo"}"#) && events[4].contains(#""finish_reason":"stop""#))
            #expect(events.last == "data: [DONE]", "\(events)")

            async let failing = client.send("POST", "/v2/talk/openai/v1/chat/completions", chat)
            try await fixture.work("talk") { _ in throw JobError(.handler, "out of memory") }
            let failed = try await failing
            #expect(failed.status == 502 && failed.json["error"]?["message"] == "out of memory")
        }
    }

    @Test func aStreamOfTextHasOpenAIsFrame() throws {
        func chunks(_ usage: Bool, _ parts: [JSON], _ result: JSON?) throws -> [JSON] {
            var stream = OpenAIStream(OpenAIAnswer(id: "1", created: 1, model: "m"), includesUsage: usage)
            let bytes = parts.flatMap { stream.events($0) } + stream.end(result)
            let events = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n\n").filter { !$0.isEmpty }
            #expect(events.last == "data: [DONE]")
            return try events.dropLast().map { try JSON(parsing: Array($0.utf8.dropFirst(6))) }
        }
        let result: JSON = [
            "content": "hello", "model": "big", "finish_reason": "length", "usage": ["total_tokens": 3],
            "tool_calls": [["id": "c"]],
        ]
        let told = try chunks(true, [["content": "hel"], ["content": "lo"]], result)
        let choices = told.map { $0["choices"]?.array?.first }
        #expect(
            choices.map { $0?["delta"] } == [
                ["role": "assistant", "content": "hel"], ["content": "lo"], ["tool_calls": [["id": "c", "index": 0]]],
                [:], nil,
            ]
        )
        #expect(choices.map { $0?["finish_reason"] } == [.null, .null, .null, "length", nil])
        #expect(told.map { $0["usage"] } == [.null, .null, .null, .null, ["total_tokens": 3]])
        #expect(told.last?["choices"] == [] && told.last?["model"] == "big" && told.first?["model"] == "m")

        let silent = try chunks(false, [], result)
        #expect(silent.map { $0["model"] } == ["big", "big", "big"] && silent.allSatisfy { $0["usage"] == nil })
        #expect(silent.first?["choices"]?.array?.first?["delta"] == ["role": "assistant", "content": "hello"])
        #expect(try chunks(true, ["a"], nil).count == 2, "no usage is known")
        let own: JSON = ["choices": [["delta": [:], "finish_reason": "stop"]]]
        #expect(try chunks(true, [own], [own]) == [own], "what is in OpenAI's shape ends itself")
        #expect(try chunks(true, [], nil) == [])
    }

    @Test func callsEndWhenTheServerStopsAndTheirJobsGoOn() async throws {
        let fixture = try await RunPodClientFixture()
        let calls = Mutex<[Task<ServiceClient.Answer, any Error>]>([])
        let start = Mutex(ContinuousClock.now)
        let states = Mutex<[JobState]>([])
        let look: @Sendable () async throws -> Void = {
            let jobs = try await fixture.parts.ledger.jobs(JobQuery(limit: 10))
            states.withLock { $0 = jobs.map(\.state) }
        }
        try await fixture.serve(after: look) { client in
            let path = "openai/v1/chat/completions"
            let chats = [("talk", #"{"stream":true}"#), ("plain", #"{"stream":true}"#), ("plain", "{}")]
            calls.withLock {
                $0 = chats.map { chat in
                    Task { try await client.send("POST", "/v2/\(chat.0)/\(path)", chat.1.utf8Bytes) }
                }
            }
            // One has begun its answer, the others wait for their first word.
            let record = try await fixture.claim("talk")
            try fixture.tell(record, [Self.part("hel")])
            var query = JobQuery(limit: 10)
            query.services = ["plain"]
            while try await fixture.parts.ledger.jobs(query).count < 2 { try await Task.sleep(for: .milliseconds(10)) }
            start.withLock { $0 = .now }
        }
        #expect(start.withLock { ContinuousClock.now - $0 } < .seconds(2))
        var answers: [ServiceClient.Answer] = []
        for call in calls.withLock({ $0 }) { answers.append(try await call.value) }
        #expect(answers[0].status == 200 && answers[0].text.contains("stopped"), "\(answers[0].text)")
        for answer in answers.dropFirst() {
            #expect(answer.status == 503 && answer["retry-after"] != nil, "\(answer.text)")
        }
        #expect(states.withLock { $0 }.count { $0 == .waiting } == 2, "no job was cancelled")
    }

    @Test(arguments: ["\n\n", "\r\n\r\n", "\r\n"]) func theEndOfAStreamComesOnce(_ pause: String) {
        var stream = OpenAIStream(OpenAIAnswer(id: "1", created: 1, model: "m"))
        let text = ["data: {\"a\":\"\u{2028}\"}", "data: {\"b\":1}", "data: [DONE]", ""].joined(separator: pause)
        let events = String(decoding: stream.events(.string(text)), as: UTF8.self)
        #expect(events == "data: {\"a\":\"\u{2028}\"}\n\ndata: {\"b\":1}\n\n")
    }
}
