// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// How an App API reads what a Service API answers to a hand-over, over real connections.
@Suite(.timeLimit(.minutes(1))) struct HTTPJobHandOverTests {
    private static let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    private let jobs = (0..<3).map { _ in MeshID() }
    private var handOver: HandOver {
        HandOver(entries: jobs.map { .init(job: $0, service: "alpha", definition: "a1", trace: Self.trace) })
    }

    private func refused(_ behaviour: CannedServer.Behaviour) async throws -> [HandOver.Refusal] {
        let server = CannedServer(behaviour)
        defer { server.stop() }
        return try await hand(to: server.port).refused
    }

    private func hand(to port: Int, timeout: Duration = .seconds(10)) async throws -> HandOver.Answer {
        let port = HTTPJobHandOver(
            client: CurlTransfer(),
            base: "http://127.0.0.1:\(port)/",
            token: "mesh",
            timeout: timeout
        )
        return try await port.handOver(handOver, to: port.place(of: "alpha"))
    }

    private func list(_ refusals: [HandOver.Refusal]) -> String {
        JSON.object(JSONObject([("refused", .array(refusals.map(\.json)))])).text
    }

    @Test func theRequestCarriesTheJobsTheTokenAndTheTrace() async throws {
        let server = CannedServer(CannedServer.answer("200 OK", #"{"refused":[]}"#))
        defer { server.stop() }
        #expect(try await hand(to: server.port) == HandOver.Answer())
        let request = try #require(server.received.first)
        let head = request.lowercased()
        #expect(
            request.hasPrefix("POST /mesh/v1/jobs HTTP/1.1\r\n") && head.contains("\r\nauthorization: bearer mesh\r\n")
        )
        #expect(head.contains("\r\ntraceparent: \(Self.trace)\r\n"))
        let body = try #require(request.range(of: "\r\n\r\n")).upperBound
        #expect(HandOver(json: try JSON(parsing: String(request[body...]))) == handOver)
    }

    @Test func theRefusedJobsOfABatchAreRead() async throws {
        let refusal = HandOver.Refusal(job: jobs[1], reason: "full", retryAfter: .milliseconds(1500))
        // A job that was not handed over is none of this batch's.
        let stranger = HandOver.Refusal(job: MeshID(), reason: "?", retryAfter: .seconds(1))
        #expect(try await refused(CannedServer.answer("200 OK", list([stranger, refusal]))) == [refusal])
        #expect(try await refused(CannedServer.answer("202 Accepted", list([]))).isEmpty)
    }

    @Test func creditsAreReadAndKeptWithinBounds() async throws {
        let credits: JSON = [
            ["service": "alpha", "jobs": 7, "workers": 2, "for_ms": 500],
            ["service": "beta", "jobs": 100_000, "workers": 0, "for_ms": 86_400_000],
            ["service": "gamma", "jobs": "x"],
            ["service": "delta", "jobs": -1, "workers": 9_223_372_036_854_775_807, "for_ms": -1], 5,
        ]
        let body: JSON = ["refused": [], "credits": credits]
        let server = CannedServer(CannedServer.answer("200 OK", body.text))
        defer { server.stop() }
        let read = try await hand(to: server.port).credits
        #expect(
            read == [
                TicketCredit(service: "alpha", jobs: 7, workers: 2, duration: .milliseconds(500)),
                TicketCredit(service: "beta", jobs: TicketCredit.maxJobs, workers: 1),
                TicketCredit(service: "delta", jobs: 0, workers: .max, duration: .zero),
            ]
        )
        let service = ServiceDefinition(name: "delta", engine: .remote, concurrency: 5)
        #expect(service.tickets(3, among: try #require(read.last).workers).map(\.count) == [1, 1, 1])
    }

    @Test func aPushBackKeepsTheReasonsOfItsBody() async throws {
        let refusals = jobs.map { HandOver.Refusal(job: $0, reason: "3 jobs wait", retryAfter: .seconds(2)) }
        let all = CannedServer.answer("429 Too Many Requests", list(refusals), "Retry-After: 7")
        #expect(try await refused(all) == refusals)
        // A job that the body does not name is refused as well, for as long as the header says.
        let some = CannedServer.answer("429 Too Many Requests", list([refusals[0]]), "Retry-After: 7")
        let read = try await refused(some)
        #expect(read.map(\.job) == jobs && read[0] == refusals[0])
        #expect(read[1...].allSatisfy { $0.retryAfter == .seconds(7) })
    }

    @Test(arguments: [
        ("Retry-After: 30", Duration.seconds(30)), ("X-Other: 1", .seconds(1)), ("Retry-After: soon", .seconds(1)),
        ("Retry-After: 0", .milliseconds(100)), ("Retry-After: 31536000", .seconds(300)),
        ("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", .milliseconds(100)),
    ])
    func aPushBackWithoutABodyGoesByItsHeader(_ header: String, _ wait: Duration) async throws {
        for body in ["", "slow down", "{}", #"{"refused":[{"job":"x"}]}"#] {
            let read = try await refused(CannedServer.answer("429 Too Many Requests", body, header))
            #expect(read.map(\.job) == jobs && read.allSatisfy { $0.retryAfter == wait }, "\(body)")
        }
    }

    @Test func aWaitOfTheBodyIsKeptWithinBounds() async throws {
        let refusals = zip(jobs, [Duration.seconds(-5), .seconds(86_400), .seconds(3)])
            .map { HandOver.Refusal(job: $0, reason: "", retryAfter: $1) }
        let read = try await refused(CannedServer.answer("200 OK", list(refusals)))
        #expect(read.map(\.retryAfter) == [.milliseconds(100), .seconds(300), .seconds(3)])
    }

    @Test(arguments: [
        "", "ok", "{", "[]", "{}", #"{"refused":null}"#, #"{"refused":{}}"#, #"{"refused":[{"job":"x"}]}"#,
    ])
    func anAnswerThatDoesNotTellWhatWasTakenIsAFailure(_ body: String) async throws {
        await #expect(throws: HandOverFailure.self) { try await refused(CannedServer.answer("200 OK", body)) }
    }

    @Test func otherStatusesAreFailuresInTheWordsOfTheServer() async throws {
        for status in ["301 Moved Permanently", "400 Bad Request", "500 Internal Server Error", "503 Unavailable"] {
            let failure = await #expect(throws: HandOverFailure.self) {
                try await refused(CannedServer.answer(status, list([]), "Location: /elsewhere"))
            }
            #expect(failure?.description.contains(String(status.prefix(3))) == true)
        }
        let body = #"{"detail":"the bearer token is not valid here"}"#
        let failure = await #expect(throws: HandOverFailure.self) {
            try await refused(CannedServer.answer("401 Unauthorized", body))
        }
        #expect(failure?.description.hasSuffix("status 401: the bearer token is not valid here") == true)
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"refused\":[]}", "SSH-2.0-OpenSSH_9.6\r\n", "\r\n\r\n\r\n",
    ])
    func garbageAndAnswersThatBreakOffAreFailures(_ bytes: String) async throws {
        await #expect(throws: HandOverFailure.self) { try await refused(.answer(bytes)) }
    }

    @Test func aConnectionThatIsClosedOrRefusedIsAFailure() async throws {
        await #expect(throws: HandOverFailure.self) { try await refused(.hangUp) }
        let gone = CannedServer(.hang)
        gone.stop()
        await #expect(throws: HandOverFailure.self) { try await hand(to: gone.port, timeout: .seconds(2)) }
    }

    @Test func aServerThatHangsIsGivenUpInTime() async throws {
        let server = CannedServer(.hang)
        defer { server.stop() }
        let start = ContinuousClock.now
        let failure = await #expect(throws: HandOverFailure.self) {
            try await hand(to: server.port, timeout: .milliseconds(300))
        }
        #expect(ContinuousClock.now - start < .seconds(5) && failure?.description.contains("timeout") == true)
        #expect(server.received.count == 1)
    }

    @Test func aServicesOwnPlaceWins() {
        let port = HTTPJobHandOver(
            client: CurlTransfer(),
            base: "http://all/",
            bases: ["alpha": "http://one/"],
            token: nil
        )
        #expect(port.place(of: "alpha") == "http://one" && port.place(of: "beta") == "http://all")
    }
}
