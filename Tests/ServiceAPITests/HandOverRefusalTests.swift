// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Plumbing
import Testing
import Workflow

/// What a hand-over must not be, and who may not send one.
@Suite(.timeLimit(.minutes(1))) struct HandOverRefusalTests {
    private static let path = "/mesh/v1/jobs"
    private static let empty = Array(#"{"jobs":[]}"#.utf8)

    @Test func onlyTheMeshsTokensOpenIt() async throws {
        let fixture = try await ServiceFixture(meshTokens: ["first", "second"], serviceTokens: ["people"])
        try await fixture.serve { client in
            let right = ["Bearer first", "Bearer second", "bearer first", "BEARER  second", "first"]
            for authorization in right {
                let answer = try await client.send("POST", Self.path, Self.empty, authorization: authorization)
                #expect(answer.status == 200, "\(authorization)")
            }
            let wrong: [String?] = [
                nil, "", "Bearer ", "Bearer firs", "Bearer first2", "Bearer second1", "Bearer FIRST",
                "Bearer first,second",
                "Bearer people", "Basic first", "Bearer \(String(repeating: "f", count: 4000))",
            ]
            for authorization in wrong {
                let answer = try await client.send("POST", Self.path, Self.empty, authorization: authorization)
                #expect(answer.isProblem(401), "\(authorization ?? "none")")
                #expect(answer.field == "Authorization" && answer["www-authenticate"] == "Bearer")
                #expect(!answer.text.contains("first") && !answer.text.contains("second"))
            }
        }
    }

    @Test func withoutATokenNobodyMay() async throws {
        let fixture = try await ServiceFixture(meshTokens: [])
        try await fixture.serve { client in
            for authorization in [nil, "Bearer ", "Bearer mesh"] {
                let answer = try await client.send("POST", Self.path, Self.empty, authorization: authorization)
                #expect(answer.isProblem(403) && answer.detail.contains("MESH_TOKEN"))
            }
        }
    }

    @Test func aBodyThatIsNotOneIsRefusedByItsField() async throws {
        let fixture = try await ServiceFixture()
        let id = MeshID().description
        let bodies: [(body: String, status: Int, field: String?)] = [
            ("", 400, nil), ("{", 400, nil), ("hello", 400, nil), ("{\"jobs\":[}", 400, nil), ("\u{0}", 400, nil),
            (String(repeating: "[", count: 100_000), 400, nil),
            ("null", 422, "/jobs"), ("[]", 422, "/jobs"), ("{}", 422, "/jobs"), (#"{"jobs":null}"#, 422, "/jobs"),
            (#"{"jobs":{}}"#, 422, "/jobs"), (#"{"jobs":"x"}"#, 422, "/jobs"),
            (#"{"jobs":[1]}"#, 422, "/jobs/0"), (#"{"jobs":[[]]}"#, 422, "/jobs/0"),
            (#"{"jobs":[{}]}"#, 422, "/jobs/0/job"),
            (#"{"jobs":[{"job":"x","service":"alpha"}]}"#, 422, "/jobs/0/job"),
            (#"{"jobs":[{"job":7,"service":"alpha"}]}"#, 422, "/jobs/0/job"),
            (#"{"jobs":[{"job":"\#(id)"}]}"#, 422, "/jobs/0/service"),
            (#"{"jobs":[{"job":"\#(id)","service":""}]}"#, 422, "/jobs/0/service"),
            (#"{"jobs":[{"job":"\#(id)","service":["alpha"]}]}"#, 422, "/jobs/0/service"),
            (#"{"jobs":[{"job":"\#(id)","service":"alpha","definition":5}]}"#, 422, "/jobs/0/definition"),
            (
                #"{"jobs":[{"job":"\#(id)","service":"alpha"},{"job":"\#(id)","service":"alpha","traceparent":{}}]}"#,
                422, "/jobs/1/traceparent"
            ),
        ]
        try await fixture.serve { client in
            for (body, status, field) in bodies {
                let answer = try await client.send("POST", Self.path, Array(body.utf8), authorization: "Bearer mesh")
                #expect(answer.isProblem(status), "\(body.prefix(80)): \(answer.status) \(answer.text)")
                #expect(answer.field == field, "\(body.prefix(80))")
            }
            let binary = try await client.send("POST", Self.path, [0xFF, 0xFE, 0x00], authorization: "Bearer mesh")
            #expect(binary.isProblem(400))
            // Nothing of a refused list was taken.
            #expect(try await fixture.depth() == 0)
        }
    }

    @Test func aTraceThatIsNoneIsLeftOut() async throws {
        let fixture = try await ServiceFixture()
        let traces = ["", "a\r\nX-Evil: 1", String(repeating: "0", count: 513)]
        let entries = traces.map { HandOver.Entry(job: MeshID(), service: "alpha", definition: "", trace: $0) }
        try await fixture.serve { client in
            let answer = try await client.handOver(HandOver(entries: entries).json)
            #expect(answer.refused == [])
            let traces = try await fixture.takeTickets(3).map(\.trace)
            #expect(traces == [nil, nil, nil])
        }
    }

    @Test func aBodyAboveTheLimitIsRefused() async throws {
        let fixture = try await ServiceFixture(maxBody: 4096)
        try await fixture.serve { client in
            let fitting = Self.empty + Array(repeating: 0x20, count: 4096 - Self.empty.count)
            #expect(try await client.send("POST", Self.path, fitting, authorization: "Bearer mesh").status == 200)
            for size in [4097, 1 << 20] {
                let body = Self.empty + Array(repeating: 0x20, count: size - Self.empty.count)
                let answer = try await client.send("POST", Self.path, body, authorization: "Bearer mesh")
                #expect(answer.isProblem(413) && answer.detail.contains("4096"))
            }
            #expect(try await client.handOver(1).status == 200)
        }
    }

    @Test func wrongPathsAndMethodsAreToldWhatThereIs() async throws {
        let fixture = try await ServiceFixture()
        try await fixture.serve { client in
            let unknown = try await client.send("GET", "/api/v2/jobs")
            #expect(unknown.isProblem(404) && unknown.detail.contains("/openapi.json"))
            let method = try await client.send("PUT", Self.path, Self.empty, authorization: "Bearer mesh")
            #expect(method.isProblem(405) && method["allow"] == "POST")
            let job = try await client.send("DELETE", "/api/v1/jobs/\(MeshID())")
            #expect(job.isProblem(405) && job["allow"] == "GET")
        }
    }
}
