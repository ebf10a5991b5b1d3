// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import HummingbirdTesting
import Ledger
import LedgerSQLite
import Logging
import Plumbing
import ResultStore
import ResultStoreInProcess
import Testing
import Workflow

@testable import AppAPI

/// What `/result` and callbacks say of outputs that are deep, damaged, or older than the present definitions.
@Suite(.timeLimit(.minutes(1))) struct StoredOutputTests {
    /// Lists within each other.
    private static func nested(_ depth: Int) -> JSON {
        (1..<depth).reduce([1]) { inner, _ in [inner] }
    }

    @Test func anOutputDeeperThanAnyResultIsWhole() async throws {
        let fixture = try await OrchestrationFixture { $0.callbackURL = "http://127.0.0.1:1/" }
        try await fixture.serve { client in
            let task = try await client.play().task
            try await fixture.publish(try await fixture.claim("alpha"), ["list": [7], "text": "t"])
            try await fixture.handOver(of: "beta")
            // The engine takes 128; the output's template lays two more around it.
            try await fixture.publish(try await fixture.claim("beta"), Self.nested(127))
            let ended = try await fixture.ended(task)
            #expect(ended.state == .succeeded)
            let wanted: JSON = ["text": "t", "all": [Self.nested(127)]]
            let answer = try await client.send(.get, "/result/\(task)")
            #expect(answer.code == "OR_000" && answer.json["response"]?["data"] == wanted)
            let callback = try #require(try await fixture.ledger.callbacks(of: ended.id).first?.callback)
            let body = try JSON(parsing: callback.body, maxDepth: 512)
            #expect(body["errorCode"]?["status"] == "OR_000" && body["response"]?["data"] == wanted)
        }
    }

    @Test(arguments: [Array("{\"a\":".utf8), []]) func anUnreadableOutputIsNoSuccess(_ output: [UInt8]) async throws {
        let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:1/")
        try await fixture.serve { client in
            let id = try #require(MeshID(try await client.call().task))
            var task = try #require(try await fixture.ledger.task(id)).task
            task.state = .succeeded
            task.finishedAt = .now
            task.output = output
            let body = try #require(fixture.finishing.callbacks(for: task, definition: nil, at: .now).first).body
            let callback = try JSON(parsing: body)
            #expect(callback["errorCode"]?["status"] == "CO_501" && callback["response"] == [:])
            #expect(callback["errorCode"]?["reason"]?.string?.contains("can't be read") == true)
            let stored = FinalAnswer(task: task, stages: []).bytes
            fixture.results.put([(ResultKey(.task, id), stored)], timeToLive: .seconds(60))
            let answer = try await client.send(.get, "/result/\(id)")
            #expect(answer.code == "CO_501" && answer.reason.contains("can't be read"))
            #expect(answer.json["response"]?["data"] == nil)
        }
    }

    @Test(
        arguments: [
            "s3://media/uploads/bob/secret.png",
            [["dataType": "S3_OBJECT", "data": "s3://media/uploads/bob/secret.png"]],
        ] as [JSON]
    )
    func dataThatLookLikeAReferenceGetNoURLAfterAWorkflowWasEdited(_ data: JSON) async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            let task = try await client.call().task
            try await fixture.work("alpha")
            try await fixture.work("beta", returning: data)
            let yaml = MarketplaceFixture.yaml.replacing("Two stages in a row.", with: "Edited.")
            let services = ["alpha", "beta"].map {
                ServiceDefinition(name: $0, engine: .native(handler: "echo", options: .null))
            }
            let app = try DefinitionLoader.app(yaml: yaml, services: services)
            let catalog = AppCatalog(apps: [app], services: services)
            let edited = AppAPI(settings: fixture.settings, catalog: catalog, parts: fixture.parts)
            let server = Application(
                router: edited.router(),
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            try await server.test(.router) { other in
                for _ in 0..<2 {
                    let answer = try await MarketplaceClient(client: other).send(.get, "/result/\(task)")
                    #expect(answer.code == "CO_000" && answer.json["response"]?["dataType"] == "META_DATA")
                    #expect(answer.json["response"]?["data"] == data)
                }
            }
        }
    }
}
