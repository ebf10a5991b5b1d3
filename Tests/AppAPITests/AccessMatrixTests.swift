// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Hummingbird
import HummingbirdTesting
import MediaStore
import MediaStoreFiles
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// Every route of the App API, and what each kind of caller gets of another's task and media.
@Suite(.timeLimit(.minutes(1))) struct AccessMatrixTests {
    /// What a route answers, with the statuses that each caller gets.
    struct Row: Sendable {
        var query = ""
        var body: JSON?
        /// The user whose task it is, another one, and an admin; all with a token of all apps.
        var owner: Int
        var other: Int
        var admin: Int
        /// The owner's name with the token of another app, where the path names no app; with one it is 403.
        var foreign: Int
    }

    /// By the route without the app in its path; a route that stands in none of the lists fails the test.
    static func rows(_ task: String) -> [String: Row] {
        let ofTask = Row(owner: 200, other: 404, admin: 200, foreign: 404)
        let result = Row(body: ["taskId": .string(task)], owner: 200, other: 404, admin: 200, foreign: 404)
        let call: JSON = ["method": "look", "payload": ["image": "data:image/png;base64,AA=="]]
        let key = "?s3_key=uploads/ann/own.png"
        return [
            "POST /call": Row(body: call, owner: 200, other: 200, admin: 200, foreign: 400),
            "POST /result": result,
            "GET /result": Row(query: "?taskId=\(task)", owner: 200, other: 404, admin: 200, foreign: 404),
            "POST /result/{task}": ofTask, "GET /result/{task}": ofTask,
            "POST /stats": Row(body: ["userId": "ann"], owner: 200, other: 403, admin: 200, foreign: 200),
            "GET /stats": Row(query: "?userId=ann", owner: 200, other: 403, admin: 200, foreign: 200),
            "POST /tasks/{task}/cancel": ofTask, "GET /tasks/{task}/explain": ofTask,
            "GET /tasks/{task}/callbacks": ofTask, "POST /tasks/{task}/callbacks/replay": ofTask,
            "POST /upload": Row(query: key, owner: 200, other: 400, admin: 400, foreign: 400),
            "GET /download": Row(query: key, owner: 200, other: 404, admin: 200, foreign: 404),
        ]
    }
    static let open: Set = ["GET /healthz", "GET /readyz", "GET /metrics"]
    static let signed: Set = ["GET /media/**", "HEAD /media/**", "PUT /media/**"]

    static func fixture() async throws -> MarketplaceFixture {
        try await MarketplaceFixture(callbackURL: "http://127.0.0.1:1/", withSecondApp: true) {
            $0.tokens = ["token", "partner@contract:mine", "stranger@second:theirs", "both@contract+second:ours"]
        }
    }

    /// A task of ann's in the first app that has ended and has a callback, and an upload of hers.
    static func prepare(_ fixture: MarketplaceFixture, _ client: MarketplaceClient) async throws -> String {
        let body: JSON = ["method": "chain", "payload": ["n": 1]]
        let task = try await client.send(.post, "/contract/call", body).task
        try await fixture.work("alpha", returning: ["n": 1])
        try await fixture.work("beta")
        let bytes = ByteStream { continuation in
            continuation.yield([1, 2, 3])
            continuation.finish()
        }
        let key = "uploads/ann/own.png"
        _ = try await fixture.media.store(bytes, key: key, contentType: "image/png", origin: nil, limit: 100)
        return task
    }

    @Test func everyRouteAnswersEveryCallerAsTheTableSays() async throws {
        let fixture = try await Self.fixture()
        let routes = fixture.api.router().routes.map { "\($0.method.rawValue) \($0.path)" }
        try await fixture.serve { client in
            let task = try await Self.prepare(fixture, client)
            let rows = Self.rows(task)
            let known = Set(rows.keys)
                .union(rows.keys.map { $0.replacing(" /", with: " /{app}/") })
                .union(Self.open).union(Self.signed)
            #expect(Set(routes) == known, "each route has its place in the table, and each place its route")
            for route in routes {
                let words = route.split(separator: " ")
                let method = try #require(HTTPRequest.Method(String(words[0])))
                if Self.open.contains(route) {
                    let status = try await client.client.execute(uri: String(words[1]), method: method) { $0.status }
                    #expect(status == .ok, "\(route)")
                    continue
                }
                if Self.signed.contains(route) {
                    try await expectSignature(client, method)
                    continue
                }
                let isOfApp = words[1].hasPrefix("/{app}/")
                let row = try #require(rows[route.replacing("/{app}", with: "")])
                let place = String(words[1]).replacing("{app}", with: "contract").replacing("{task}", with: task)
                let path = place + row.query
                func expect(_ status: Int, user: String = "ann", role: String? = nil, token: String?) async throws {
                    let answer = try await client.send(
                        method,
                        path,
                        row.body,
                        user: user,
                        role: role,
                        token: token
                    )
                    let who = "\(user), \(role ?? "user") with \(token ?? "no token")"
                    #expect(answer.status == status, "\(route) as \(who)")
                    #expect(answer.status == 200 || answer.isRefusal, "\(route)")
                    if answer.status == 403 { #expect(answer.code?.hasSuffix("_403") == true) }
                }
                for role in [nil, "publisher", "admin"] {
                    for token in [nil, "", "Token", "toke", "token2", "partner@contract:mine", "mine,theirs"] {
                        try await expect(401, role: role, token: token)
                    }
                    // The owner's name and even the admin's role open nothing of another app.
                    try await expect(isOfApp ? 403 : row.foreign, role: role, token: "theirs")
                }
                try await expect(row.owner, token: "token")
                try await expect(row.other, user: "bob", token: "token")
                try await expect(row.other, user: "bob", role: "publisher", token: "token")
                try await expect(row.other, user: "Ann", token: "token")
                try await expect(row.admin, user: "root", role: "admin", token: "token")
                guard !route.hasSuffix("load") else { continue }
                for token in ["mine", "ours"] {
                    try await expect(row.owner, token: token)
                    try await expect(row.other, user: "bob", token: token)
                    try await expect(row.admin, user: "root", role: "admin", token: token)
                }
            }
        }
    }

    /// Without a signature that this server made, media are nobody's: neither a token nor a role helps.
    private func expectSignature(_ client: MarketplaceClient, _ method: HTTPRequest.Method) async throws {
        for query in ["", "?expires=9999999999&signature=00&method=\(method.rawValue)"] {
            let headers: HTTPFields = [
                .init("x-marketplace-token")!: "token", .init("x-user-id")!: "root", .init("x-user-role")!: "admin",
            ]
            let path = "/media/media/uploads/ann/own.png\(query)"
            let status = try await client.client.execute(uri: path, method: method, headers: headers) { $0.status.code }
            #expect(status == 403, "\(method)")
        }
    }
}
