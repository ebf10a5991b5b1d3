// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Testing
import Workflow

@Suite struct DefinitionLoaderTests {
    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let services: [ServiceDefinition] = {
        let detect = """
            service: detect-it
            engine: native
            handler: x
            timeout: 9s
            max_attempts: 5
            input: { type: object, required: [image], properties: { image: { type: string } }, additionalProperties: false }
            output: { type: object, properties: { faces: { type: array, items: { type: object, properties: { box: { type: array } }, additionalProperties: false } }, n: { type: integer } }, additionalProperties: false }
            """
        let free = "service: free\nengine: native\nhandler: x\n"
        return [detect, free].compactMap { try? DefinitionLoader.service(yaml: $0) }
    }()

    @Test func loadsTheRepositorysOwn() throws {
        let definitions = try DefinitionLoader.load(
            apps: [Self.repository.appending(path: "apps").path],
            services: [Self.repository.appending(path: "services").path]
        )
        let identify = try #require(definitions.apps["face-recognition"]?.methods["identify"])
        #expect(identify.stages.map(\.name) == ["detect", "embed", "search"])
        #expect(identify.stages.map(\.dependencies) == [[], [0], [1]])
        #expect(identify.stages.map(\.timeout) == [.seconds(30), .seconds(30), .seconds(10)])
        #expect(identify.deadline == .seconds(300))
        #expect(identify.output.type == .hybrid)
        #expect(definitions.apps["bench"]?.methods["fan-out"]?.stages.first?.forEach != nil)
        let embed = try #require(definitions.services["face-embed"])
        #expect(
            embed.engine
                == .process(
                    command: ["python3", "handler.py"],
                    environment: [
                        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "FACE_EMBED_PROFILE": "auto",
                        "INSIGHTFACE_HOME": "~/.insightface", "INSIGHTFACE_PACK": "buffalo_l",
                    ]
                )
        )
        #expect(embed.memoryLimit == 4 << 30)
        #expect(embed.batchMaxSize == 8)
        #expect(embed.folder.hasSuffix("services/face-embed"))
        for app in definitions.apps.values {
            for method in app.methods.values { try Self.expectRoundTrip(method) }
        }
    }

    static func expectRoundTrip(_ definition: WorkflowDefinition) throws {
        let read = try WorkflowDefinition(stored: definition.stored)
        #expect(read.hash == definition.hash)
        #expect(read.stored == definition.stored)
        // Made anew from its parts it must be the same text: nothing was lost on the way.
        let again = WorkflowDefinition(
            app: read.app,
            method: read.method,
            description: read.description,
            input: read.input,
            deadline: read.deadline,
            stages: read.stages,
            output: read.output
        )
        #expect(again.stored == definition.stored)
    }

    static func app(stages: String, output: String = "{ type: META_DATA, data: { $ref: \"request#\" } }") -> String {
        """
        app: a
        prefix: AB
        methods:
          m:
            input: { type: object, properties: { image: { type: string }, n: { type: integer } }, additionalProperties: false }
            stages:
        \(stages.split(separator: "\n").map { "      \($0)" }.joined(separator: "\n"))
            output: \(output)
        """
    }

    @Test(arguments: WrongWorkflow.all)
    func refuses(_ bad: WrongWorkflow) {
        let text = Self.app(stages: bad.stages, output: bad.output)
        let error = #expect(throws: DefinitionsError.self) {
            try DefinitionLoader.app(yaml: text, services: Self.services)
        }
        #expect(error?.problems.map(\.description).sorted() == bad.problems.sorted())
    }

    @Test(arguments: [
        ("app: a\napp: b\n", "app.yaml:1:"), ("app: [", "app.yaml:2:"), ("", "app.yaml:1: is empty"),
        ("- a", "app.yaml:1: the app is a list"),
        ("app: A\nprefix: AB\nmethods: {m: {}}", "app.yaml:1: app 'A' has \"A\" as 'app'"),
        ("app: a\nprefix: ab\nmethods: {}", "app.yaml:2: app 'a' has \"ab\" as 'prefix'"),
        (
            "app: a\nprefix: AB\nmehtods: {}",
            "app.yaml:3: app 'a' has the unknown key 'mehtods'; did you mean 'methods'?"
        ),
    ])
    func refusesApps(_ text: String, _ beginning: String) {
        let error = #expect(throws: DefinitionsError.self) { try DefinitionLoader.app(yaml: text, services: []) }
        #expect(
            error?.problems.contains { $0.description.hasPrefix(beginning) } == true,
            "\(String(describing: error))"
        )
    }

    @Test(arguments: [
        (
            "service: x\nengine: natve\n",
            "service.yaml:2: service 'x' has \"natve\" as 'engine'; it must be native, process, openai, http, transcription or remote"
        ),
        ("service: x\nengine: process\n", "service.yaml:1: service 'x' has no 'command'"),
        (
            "service: x\nengine: native\nhandler: h\ncommand: [a]",
            "service.yaml:4: service 'x' has 'command', which is only for engine: process"
        ),
        (
            "service: x\nengine: native\nhandler: h\nmemory_limit: 2GiB",
            "service.yaml:4: service 'x' has 'memory_limit'"
        ),
        (
            "service: x\nengine: process\ncommand: [a]\nmemory_limit: much",
            "service.yaml:4: service 'x' has \"much\" as 'memory_limit'; it must be a size such as"
        ),
        (
            "service: x\nengine: process\ncommand: [a]\ngpus: some",
            "service.yaml:4: service 'x' has \"some\" as 'gpus'; it must be none, all or"
        ),
        (
            "service: x\nengine: process\ncommand: [a]\nbatch:\n  max_sze: 1",
            "service.yaml:5: batch of service 'x' has the unknown key 'max_sze'"
        ),
        (
            "service: x\nengine: native\nhandler: h\nconcurrency: many",
            "service.yaml:4: service 'x' has \"many\" as 'concurrency'; it must be a whole number from 1"
        ),
        (
            "service: x\nengine: native\nhandler: h\ninput:\n  type: object\n  propertes: {}",
            "service.yaml:6: service 'x' has a wrong schema in 'input': /propertes is no keyword"
        ),
        (
            "service: X_y\nengine: native\nhandler: h",
            "service.yaml:1: service 'X_y' has \"X_y\" as 'service'; it must be a name"
        ),
    ])
    func refusesServices(_ text: String, _ beginning: String) {
        let error = #expect(throws: DefinitionsError.self) { try DefinitionLoader.service(yaml: text) }
        #expect(
            error?.problems.contains { $0.description.hasPrefix(beginning) } == true,
            "\(String(describing: error))"
        )
    }

    @Test func sortsStagesAndTakesTheServicesDefaults() throws {
        let text = Self.app(
            stages: """
                c: { service: free, input: { a: { $ref: "a#" }, b: { $ref: "b#/0" } }, when: { $ref: "b!errors#", exists: true } }
                b: { service: free, foreach: { range: { $ref: "request#/n" } }, input: [{ $ref: "index#" }, { $literal: { $ref: "x" } }], join: { at_least: 2 }, after: [a] }
                a: { service: detect-it, input: { image: { $ref: "request#/image" } }, retry: { backoff: { base: 2s, cap: 90s } } }
                """
        )
        let method = try #require(try DefinitionLoader.app(yaml: text, services: Self.services).methods["m"])
        #expect(method.stages.map(\.name) == ["a", "b", "c"])
        #expect(method.stages.map(\.dependencies) == [[], [0], [0, 1]])
        #expect(method.stages[0].timeout == .seconds(9))
        #expect(method.stages[0].maxAttempts == 5)
        #expect(method.stages[0].backoff == Backoff(base: .seconds(2), cap: .seconds(90)))
        #expect(method.stages[1].join == .atLeast(2))
        #expect(method.hash.count == 64)
        try Self.expectRoundTrip(method)
        let read = try WorkflowDefinition(stored: method.stored)
        #expect(read.stages.map(\.input) == method.stages.map(\.input))
        #expect(read.stages.map(\.when) == method.stages.map(\.when))
        #expect(read.stages.map(\.backoff) == method.stages.map(\.backoff))
    }

    @Test(arguments: [
        "", "{}", "[]", "1", #"{"app":"a","method":"m","description":"","deadline_us":1,"stages":[{}],"output":{}}"#,
    ])
    func refusesWhatIsNotStored(_ text: String) {
        #expect(throws: StoredDefinitionError.self) { try WorkflowDefinition(stored: Array(text.utf8)) }
    }

    @Test func namesThatStandTwiceAndFoldersThatAreNone() throws {
        let base = FileManager.default.temporaryDirectory.appending(path: "malla-definitions-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: base) }
        for folder in ["one", "two", "empty"] {
            try FileManager.default.createDirectory(at: base.appending(path: folder), withIntermediateDirectories: true)
        }
        for folder in ["one", "two"] {
            try Data("service: same\nengine: native\nhandler: x\n".utf8).write(
                to: base.appending(path: folder + "/service.yaml")
            )
        }
        let (definitions, problems) = DefinitionLoader.check(apps: [base.path + "/none"], services: [base.path])
        #expect(definitions.services.count == 1)
        #expect(
            problems.map(\.description) == [
                "\(base.path)/none: is no folder that can be read; name one that holds */app.yaml",
                "\(base.path)/two/service.yaml:1: the service 'same' is already defined at \(base.path)/one/service.yaml:1; names are unique in a mesh",
            ]
        )
    }

    @Test func readsWordsAsWords() throws {
        let text = Self.app(stages: "a: { service: free, input: { op: no, n: 010, v: 1.50, t: true, q: \"1\", e: } }")
        let stage = try #require(
            try DefinitionLoader.app(yaml: text, services: Self.services).methods["m"]?.stages.first
        )
        #expect(stage.input == .literal(["op": "no", "n": "010", "v": 1.5, "t": true, "q": "1", "e": nil]))
    }
}
