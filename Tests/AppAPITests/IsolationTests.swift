// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Foundation
import Hummingbird
import HummingbirdTesting
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// What a caller can learn of another's tasks and media: nothing, not even that they are there.
@Suite(.timeLimit(.minutes(1))) struct IsolationTests {
    /// An answer without what differs between any two: ids that were asked for, the trace, the time.
    private func bare(_ answer: MarketplaceClient.Answer, _ id: String) throws -> String {
        var object = try #require(answer.json.object)
        object["traceId"] = .null
        object["datetime"] = .null
        object["requestId"] = .null
        let headers = answer.headers.map { "\($0.name.canonicalName): \($0.value)" }.filter { !$0.hasPrefix("date") }
        return "\(answer.status) \(headers.sorted()) \(JSON.object(object))".replacing(id, with: "ID")
    }

    @Test func aForeignTaskLooksLikeNone() async throws {
        let fixture = try await AccessMatrixTests.fixture()
        try await fixture.serve { client in
            let ended = try await AccessMatrixTests.prepare(fixture, client)
            let running = try await client.send(.post, "/contract/call", ["method": "chain", "payload": ["n": 2]]).task
            let unknown = MeshID().description
            // The same once more with the answer in the result store.
            _ = try await client.send(.get, "/result/\(ended)")
            for app in ["", "/contract"] {
                for (method, path) in [
                    (HTTPRequest.Method.get, "/result/ID"), (.post, "/result/ID"), (.get, "/result?taskId=ID"),
                    (.post, "/tasks/ID/cancel"), (.get, "/tasks/ID/explain"), (.get, "/tasks/ID/callbacks"),
                    (.post, "/tasks/ID/callbacks/replay"),
                ] {
                    var seen: Set<String> = []
                    for id in [ended, running, unknown] {
                        let path = app + path.replacing("ID", with: id)
                        seen.insert(try bare(try await client.send(method, path, user: "bob"), id))
                        // Another app's token sees no more, whatever user and role it names.
                        guard app.isEmpty else { continue }
                        for role in [nil, "admin"] {
                            let answer = try await client.send(method, path, role: role, token: "theirs")
                            seen.insert(try bare(answer, id))
                        }
                    }
                    #expect(seen.count == 1 && seen.first?.hasPrefix("404") == true, "\(method) \(path): \(seen)")
                }
            }
            let still = try await client.send(.get, "/result/\(running)")
            #expect(still.code == "CO_001", "nobody cancelled it")
        }
    }

    @Test func aRequestIdOfAnotherUserIsFree() async throws {
        let fixture = try await AccessMatrixTests.fixture()
        try await fixture.serve { client in
            func call(_ number: JSON, user: String, token: String = "token") async throws -> MarketplaceClient.Answer {
                let body: JSON = ["method": "chain", "payload": ["n": number]]
                return try await client.send(.post, "/contract/call", body, user: user, token: token, request: "r-1")
            }
            let ann = try await call(1, user: "ann")
            #expect(try await call(1, user: "ann").task == ann.task)
            #expect(try await call(2, user: "ann").status == 409)
            let bob = try await call(2, user: "bob")
            #expect(bob.status == 200 && bob.task != ann.task)
            let again = try await call(1, user: "bob")
            #expect(again.status == 409 && !again.reason.contains(ann.task))
        }
    }

    @Test func theTokenOfAnAppCountsAndListsThatAppAlone() async throws {
        let fixture = try await AccessMatrixTests.fixture()
        try await fixture.serve { client in
            _ = try await AccessMatrixTests.prepare(fixture, client)
            func succeeded(_ token: String, role: String? = nil) async throws -> Int? {
                let answer = try await client.send(.get, "/stats", role: role, token: token)
                return answer.json["response"]?["numRequestSuccess"]?.int
            }
            for token in ["token", "mine", "ours"] { #expect(try await succeeded(token) == 1, "\(token)") }
            #expect(try await succeeded("theirs") == 0)
            #expect(try await succeeded("theirs", role: "admin") == 0)
            // A name that two apps have is no riddle for who may call one of them.
            let body: JSON = ["method": "chain", "payload": ["n": 1]]
            #expect(try await client.send(.post, "/call", body, token: "token").status == 400)
            #expect(try await client.send(.post, "/call", body, token: "mine").code == "CO_001")
            #expect(try await client.send(.post, "/call", body, token: "theirs").code == "SE_001")
            // Neither an app nor a method of another shows in a refusal.
            for (path, word) in [("/contract/call", "look"), ("/nowhere/call", "contract"), ("/call", "look")] {
                let body: JSON = ["method": "nothing"]
                let answer = try await client.send(.post, path, body, token: "theirs")
                #expect(answer.code?.hasSuffix("_403") == true && !answer.reason.contains(word), "\(answer.reason)")
            }
        }
    }

    @Test func methodsOfOneNameInTwoAppsAreCountedApart() async throws {
        let fixture = try await AccessMatrixTests.fixture()
        try await fixture.serve { client in
            _ = try await AccessMatrixTests.prepare(fixture, client)
            let body: JSON = ["method": "chain", "payload": ["n": 1]]
            #expect(try await client.send(.post, "/second/call", body).status == 200)
            func methods(_ path: String, role: String? = nil) async throws -> [String: Int?] {
                let response = try await client.send(.get, path, role: role).json["response"]
                let members = response?["methods"]?.object?.members ?? []
                return Dictionary(uniqueKeysWithValues: members.map { ($0, $1["numRequestSuccess"]?.int) })
            }
            #expect(try await methods("/stats") == ["contract/chain": 1, "second/chain": 0])
            #expect(try await methods("/stats", role: "admin") == ["contract/chain": 1, "second/chain": 0])
            #expect(try await methods("/second/stats") == ["chain": 0])
        }
    }

    @Test(arguments: [false, true])
    func aTaskWhoseAppIsNotServedIsNotCalledUnknown(isCached: Bool) async throws {
        let both = try await MarketplaceFixture(withSecondApp: true)
        let one = try await MarketplaceFixture {
            $0.tokens = ["token", "partner@contract:mine"]
        } parts: {
            $0.ledger = both.ledger
            if isCached { $0.results = both.results }
        }
        try await both.serve { client in
            let body: JSON = ["method": "own", "payload": ["n": 1]]
            let task = try await client.send(.post, "/second/call", body, user: "ann").task
            try await both.work("beta")
            #expect(try await client.send(.get, "/result/\(task)", user: "ann").code == "SE_000")
            try await one.serve { client in
                func reason(_ user: String, role: String? = nil, token: String = "token") async throws -> String {
                    let answer = try await client.send(.get, "/result/\(task)", user: user, role: role, token: token)
                    #expect(answer.status == 404)
                    return answer.reason
                }
                let own = try await reason("ann")
                #expect(own.contains("'second', which is not served here"), "\(own)")
                // Neither another user nor whose token is of other apps may learn of it.
                #expect(try await reason("bob") == "there is no task '\(task)'")
                #expect(try await reason("ann", role: "admin", token: "mine") == "there is no task '\(task)'")
            }
        }
    }

    @Test func uploadsOfAnAppsTokenLieApart() async throws {
        let fixture = try await AccessMatrixTests.fixture()
        try await fixture.serve { client in
            _ = try await AccessMatrixTests.prepare(fixture, client)
            let mine = try await client.send(.post, "/contract/upload?s3_key=own.png", token: "mine")
            #expect(mine.json["data"]?["key"]?.string == "uploads/@contract/ann/own.png")
            let url = try #require(mine.json["data"]?["presignedUrl"]?.string?.split(separator: "localhost").last)
            let put = try await client.client.execute(uri: String(url), method: .put, body: .init(bytes: [7])) {
                $0.status
            }
            #expect(put == .ok)
            let path = "/download?s3_key=uploads/@contract/ann/own.png"
            #expect(try await client.send(.get, path, token: "mine").status == 200)
            for token in ["token", "theirs", "ours"] {
                #expect(try await client.send(.get, path, token: token).status == 404, "\(token)")
            }
            #expect(try await client.send(.get, path, role: "admin", token: "theirs").status == 404)
            #expect(try await client.send(.get, path, user: "bob", token: "mine").status == 404)
            // As the media of a task, too.
            for (token, image) in [("mine", "uploads/ann/own.png"), ("token", "uploads/@contract/ann/own.png")] {
                let body: JSON = ["method": "look", "payload": ["image": .string("s3://media/\(image)")]]
                let answer = try await client.send(.post, "/contract/call", body, token: token)
                #expect(answer.status == 400 && answer.reason.contains("there is no media"), "\(token)")
            }
        }
    }

    @Test func aSignedURLIsGoodForItsKeyAndMethodAlone() async throws {
        let fixture = try await AccessMatrixTests.fixture()
        try await fixture.serve { client in
            _ = try await AccessMatrixTests.prepare(fixture, client)
            let answer = try await client.send(.get, "/download?s3_key=own.png")
            let whole = try #require(answer.json["data"]?["url"]?.string?.split(separator: "localhost").last)
            let url = String(whole)
            func status(_ uri: String, _ method: HTTPRequest.Method = .get) async throws -> Int {
                let body: ByteBuffer? = method == .put ? .init(bytes: [9]) : nil
                return try await client.client.execute(uri: uri, method: method, body: body) { $0.status.code }
            }
            #expect(try await status(url) == 200)
            #expect(try await status(url, .put) == 403)
            #expect(try await status(url.replacing("/ann/", with: "/bob/")) == 403)
            #expect(try await status(url.replacing("method=GET", with: "method=PUT"), .put) == 403)
            #expect(try await status(url.replacing("expires=", with: "expires=1")) == 403)
            #expect(try await status(url + "&method=PUT", .put) == 403)
        }
    }
}
