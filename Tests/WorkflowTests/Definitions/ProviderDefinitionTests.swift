// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Testing
import Workflow

@Suite struct ProviderDefinitionTests {
    static let chat = """
        service: chat
        engine: openai
        providers:
          - name: first
            base_url: ${BASE}
            api_key: ${KEY:-${OTHER}}
            model: ${MODEL:-m}
            timeout: ${LIMIT:-5m}
            prompt_price_per_million: 0.5
            completion_price_per_million: 2
          - { name: second, base_url: "http://10.0.0.1:8000/v1" }
        options: { stream: false, defaults: { temperature: 0 }, max_answer: 1MiB }
        takes:
          - { task_type: llm_chat, model_profile: "${MODEL:-m}" }
          - task_type: transcribe
        modules: [llm, chat]
        price_per_hour: 0.44
        """

    @Test func readsEverything() throws {
        let service = try DefinitionLoader.service(yaml: Self.chat)
        #expect(
            service.engine
                == .openai(
                    providers: [
                        Provider(
                            name: "first",
                            url: "${BASE}",
                            key: "${KEY:-${OTHER}}",
                            model: "${MODEL:-m}",
                            timeout: "${LIMIT:-5m}",
                            promptPrice: 0.5,
                            completionPrice: 2
                        ),
                        Provider(name: "second", url: "http://10.0.0.1:8000/v1"),
                    ],
                    options: ["stream": false, "defaults": ["temperature": 0], "max_answer": "1MiB"]
                )
        )
        #expect(service.takes.map(\.taskType) == ["llm_chat", "transcribe"])
        #expect(service.takes.map(\.modelProfile) == ["${MODEL:-m}", nil])
        #expect(service.takes.map(\.normal.taskType) == ["llm_chat", "transcription"])
        #expect(service.modules == ["llm", "chat"])
        #expect(service.pricePerHour == 0.44)
        let known = try #require(service.engine.providers.first)
            .expanded(in: ["BASE": "http://x ", "OTHER": "secret", "LIMIT": ""])
        #expect(known.url == "http://x")
        #expect(known.key == "secret")
        #expect(known.model == "m")
        #expect(known.timeout == "5m")
        #expect(known.isConfigured)
        let unknown = try #require(service.engine.providers.first).expanded(in: [:])
        #expect(!unknown.isConfigured)
        #expect(unknown.key == nil)
        #expect(service.engine.providers[0].addressVariables == ["BASE"])
    }

    @Test func remoteAndHTTPNeedLittle() throws {
        #expect(try DefinitionLoader.service(yaml: "service: r\nengine: remote\n").engine == .remote)
        let yaml =
            "service: h\nengine: http\nproviders: [{ name: a, url: \"${U}\" }]\noptions: { headers: { X-A: \"${T}\" } }"
        let http = try DefinitionLoader.service(yaml: yaml)
        #expect(
            http.engine == .http(providers: [Provider(name: "a", url: "${U}")], options: ["headers": ["X-A": "${T}"]])
        )
    }

    private static let head = "service: x\nengine: openai\n"

    private static let mistakes: [(String, String)] = [
        (head, "service.yaml:1: service 'x' has no 'providers'; write"),
        (
            "\(head)providers: []",
            "service.yaml:3: service 'x' has a list as 'providers'; it must be a list of at least one"
        ),
        ("\(head)providers: a", "service.yaml:3: service 'x' has \"a\" as 'providers'"),
        ("\(head)providers: [{}]", "service.yaml:3: a provider of service 'x' has no 'name'"),
        ("\(head)providers:\n - name: a", "service.yaml:4: provider 'a' of service 'x' has no 'base_url'"),
        (
            "\(head)providers:\n - name: a\n   base_url: http://a\n   url: http://b",
            "service.yaml:6: provider 'a' of service 'x' has both 'base_url' and 'url'"
        ),
        (
            "\(head)providers:\n - name: a\n   base_url: ftp://a",
            "service.yaml:5: provider 'a' of service 'x' has \"ftp://a\" as 'base_url'; it must be a URL that begins"
        ),
        (
            "\(head)providers:\n - name: a\n   base_url: \"${A\"",
            "service.yaml:5: provider 'a' of service 'x' has \"${A\" as 'base_url'; it must be a text in which every"
        ),
        (
            "\(head)providers:\n - name: a\n   base_url: http://a\n   api_key: sk-very-secret",
            "service.yaml:6: provider 'a' of service 'x' has an 'api_key' that is written out"
        ),
        (
            "\(head)providers:\n - name: a\n   base_url: http://a\n   timeout: soon",
            "service.yaml:6: provider 'a' of service 'x' has \"soon\" as 'timeout'; it must be a time"
        ),
        (
            "\(head)providers:\n - name: a\n   base_url: http://a\n   prompt_price_per_million: -1",
            "service.yaml:6: provider 'a' of service 'x' has -1 as 'prompt_price_per_million'; it must be a number of US"
        ),
        (
            "\(head)providers:\n - name: a\n   base_url: http://a\n   kind: audio-llm",
            "service.yaml:6: provider 'a' of service 'x' has 'kind', which is only for engine: transcription"
        ),
        (
            "\(head)providers:\n - { name: a, base_url: http://a }\n - { name: a, base_url: http://b }",
            "service.yaml:5: service 'x' has two providers named 'a'"
        ),
        (
            "\(head)providers:\n - { name: a, base_url: http://a, modle: b }",
            "service.yaml:4: provider 'a' of service 'x' has the unknown key 'modle'; did you mean 'model'?"
        ),
        (
            "\(head)providers: [{ name: a, base_url: http://a }]\noptions: { steam: true }",
            "service.yaml:4: options of service 'x' has the unknown key 'steam'; did you mean 'stream'?"
        ),
        (
            "\(head)providers: [{ name: a, base_url: http://a }]\noptions: { stream: maybe }",
            "service.yaml:4: options of service 'x' has \"maybe\" as 'stream'; it must be true or false"
        ),
        (
            "service: x\nengine: transcription\nproviders:\n - { name: a, base_url: http://a }",
            "service.yaml:4: provider 'a' of service 'x' has no 'kind'; write kind: whisperx, whisperx-asr"
        ),
        (
            "service: x\nengine: transcription\nproviders:\n - { name: a, base_url: http://a, kind: wisper }",
            "service.yaml:4: provider 'a' of service 'x' has \"wisper\" as 'kind'; it must be whisperx, whisperx-asr"
        ),
        (
            "service: x\nengine: remote\nproviders: []",
            "service.yaml:3: service 'x' has 'providers', which is only for engine: openai, http or transcription"
        ),
        (
            "service: x\nengine: remote\ncommand: [a]",
            "service.yaml:3: service 'x' has 'command', which is only for engine: process"
        ),
        (
            "service: x\nengine: remote\ntakes: llm",
            "service.yaml:3: service 'x' has \"llm\" as 'takes'; it must be a list"
        ),
        ("service: x\nengine: remote\ntakes: [{}]", "service.yaml:3: takes of service 'x' has no 'task_type'"),
        (
            "service: x\nengine: remote\ntakes: [{ task_type: a, profile: b }]",
            "service.yaml:3: takes of service 'x' has the unknown key 'profile'"
        ),
        ("service: x\nengine: remote\nmodules: [1]", "service.yaml:3: service 'x' has a list as 'modules'"),
        (
            "service: x\nengine: remote\nprice_per_hour: much",
            "service.yaml:3: service 'x' has \"much\" as 'price_per_hour'"
        ),
    ]

    @Test(arguments: mistakes)
    func refuses(_ text: String, _ beginning: String) {
        let error = #expect(throws: DefinitionsError.self) { try DefinitionLoader.service(yaml: text) }
        let words = String(describing: error)
        #expect(error?.problems.contains { $0.description.hasPrefix(beginning) } == true, "\(words)")
        #expect(!words.contains("sk-very-secret"))
    }

    /// Writes services into a folder of their own.
    private func folder(_ services: [String]) throws -> URL {
        let base = FileManager.default.temporaryDirectory.appending(path: "malla-takes-\(UUID().uuidString)")
        for (index, text) in services.enumerated() {
            let folder = base.appending(path: "s\(index)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: folder.appending(path: "service.yaml"))
        }
        return base
    }

    @Test func whatIsTakenIsReadFromTheEnvironmentThatIsGiven() throws {
        let base = try folder([Self.chat])
        defer { try? FileManager.default.removeItem(at: base) }
        func profiles(_ environment: [String: String]?) throws -> [String?]? {
            let loaded = try DefinitionLoader.load(apps: [], services: [base.path], environment: environment)
            return loaded.services["chat"]?.takes.map(\.modelProfile)
        }
        #expect(try profiles(["MODEL": "big"]) == ["big", nil])
        #expect(try profiles([:]) == ["m", nil])
        #expect(try profiles(nil) == ["${MODEL:-m}", nil])
    }

    @Test func aTaskTypeGoesToOneService() throws {
        let services = ["a", "b", "c"].map { name in
            let type = name == "b" ? "transcribe" : "transcription"
            let profile = name == "c" ? ", model_profile: \"${P:-p}\"" : ""
            return "service: \(name)\nengine: remote\ntakes:\n  - { task_type: \(type)\(profile) }\n"
        }
        let base = try folder(services)
        defer { try? FileManager.default.removeItem(at: base) }
        let problems = DefinitionLoader.check(apps: [], services: [base.path], environment: [:]).problems
        #expect(
            problems.map(\.description) == [
                "\(base.path)/s1/service.yaml:3: service 'b' takes transcription, as service 'a' does; a task type with a "
                    + "model profile goes to one service"
            ]
        )
    }

    @Test func theRepositorysOwnTakeWhatTheContractNames() throws {
        let services = DefinitionLoaderTests.repository.appending(path: "services").path
        let loaded = try DefinitionLoader.load(apps: [], services: [services], environment: ["LLM_MODEL": "mine"])
        let chat = try #require(loaded.services["chat"])
        #expect(chat.takes.map(\.taskType) == ["llm_chat", "chat_completion", "call_analysis"])
        #expect(Set(chat.takes.map(\.modelProfile)) == ["mine"])
        #expect(chat.modules == ["llm"])
        let transcription = try #require(loaded.services["transcription"])
        #expect(transcription.takes == [.init(taskType: "transcription")])
        #expect(transcription.engine.providers.map(\.name) == ["whisperx", "qwen2-audio", "voxtral-small"])
        #expect(transcription.engine.providers[1].expanded(in: ["LLM_API_KEY": "k"]).key == "k")
    }
}
