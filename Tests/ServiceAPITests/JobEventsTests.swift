// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Ledger
import Plumbing
import ResultStore
import Testing
import Workflow

@testable import ServiceAPI

/// `GET /api/v1/jobs/{id}/events`.
@Suite(.timeLimit(.minutes(1))) struct JobEventsTests {
    @Test func everythingComesInItsOrderAndTheStreamEndsWithTheResult() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create { $0["input"] = ["secret": 1] }
            var events = try await EventReader(client, id)
            var event = try await events.next()
            #expect(event?.name == "state" && event?.data["status"] == "pending" && event?.data["input"] == nil)
            let lease = try #require(try await client.claim().first?["lease_id"]?.string)
            event = try await events.next()
            #expect(event?.name == "state" && event?.data["status"] == "running" && event?.data["attempt"] == 1)
            try fixture.tell(id, lease, [.progress: "{\"done\":1}"])
            event = try await events.next()
            #expect(event?.name == "progress" && event?.data == ["done": 1] && event?.id?.hasPrefix("1.") == true)
            try fixture.tell(id, lease, [.partial: "\"Hel\""])
            try fixture.tell(id, lease, [.log: "{\n \"line\": \"two\"\r\n}"])
            #expect(try await events.next()?.data == "Hel")
            event = try await events.next()
            #expect(event?.name == "log" && event?.data == ["line": "two"])
            // Told and ended before anybody looked: nothing is lost, and the end comes last.
            for number in 0..<300 { try fixture.tell(id, lease, [.partial: "\(number)"]) }
            let done = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-1", "result": ["r": 1]])
            #expect(done.status == 200)
            var parts: [Int] = []
            while let next = try await events.next() {
                if next.name == "partial" { parts.append(next.data.int ?? -1) } else { event = next }
            }
            #expect(parts == Array(0..<300))
            #expect(event?.name == "state" && event?.data["status"] == "completed" && event?.data["result"] == ["r": 1])
        }
    }

    @Test func aReaderThatComesBackGoesOnWhereItWas() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create()
            let lease = try #require(try await client.claim().first?["lease_id"]?.string)
            for number in 0..<10 { try fixture.tell(id, lease, [.partial: "\(number)"]) }
            var first = try await EventReader(client, id)
            var last = ""
            for _ in 0..<5 { last = try await first.next()?.id ?? last }
            #expect(last.hasPrefix("1."))
            _ = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-1", "result": 1])
            let second = try await EventReader(client, id, after: last).all()
            #expect(second.filter { $0.name == "partial" }.compactMap(\.data.int) == [4, 5, 6, 7, 8, 9])
            #expect(second.count == 7 && second.last?.data["status"] == "completed")
            // Something that is no place begins anew.
            for place in ["x", "1.", "0.5", "1.a b", "-1.1", String(repeating: "9", count: 400)] {
                let all = try await EventReader(client, id, after: place).all()
                #expect(all.count { $0.name == "partial" } == 10, "\(place)")
            }
        }
    }

    @Test func anotherAttemptBeginsAnew() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create()
            let old = try #require(try await client.claim().first?["lease_id"]?.string)
            try fixture.tell(id, old, [.partial: "\"old\""])
            var events = try await EventReader(client, id)
            _ = try await events.next()
            let seen = try await events.next()
            #expect(seen?.data == "old")
            #expect(try await client.post("/jobs/\(id)/retry").json["status"] == "pending")
            #expect(try await events.next()?.data["status"] == "pending")
            let lease = try #require(try await client.claim("w-2").first?["lease_id"]?.string)
            // What a stale attempt goes on telling is nobody's.
            try fixture.tell(id, old, [.partial: "\"stale\""])
            try fixture.tell(id, lease, [.partial: "\"new\""])
            _ = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-2", "result": 1])
            var rest: [EventReader.Event] = []
            while let event = try await events.next() { rest.append(event) }
            #expect(rest.filter { $0.name == "partial" }.map(\.data) == ["new"])
            #expect(rest.last?.data["status"] == "completed" && rest.last?.data["attempt"] == 2)
            // A reader of the first attempt gets all of the second.
            let back = try await EventReader(client, id, after: seen?.id).all()
            #expect(back.filter { $0.name == "partial" }.map(\.data) == ["new"])
        }
    }

    @Test func anEndedJobHasOneState() async throws {
        let fixture = try await ServiceFixture.jobs()
        try await fixture.serve { client in
            let id = try await client.create()
            _ = try await client.post("/jobs/\(id)/cancel")
            let events = try await EventReader(client, id).all()
            #expect(events.map(\.name) == ["state"] && events.first?.data["status"] == "cancelled")
            #expect(try await client.get("/jobs/\(MeshID())/events").isProblem(404))
        }
    }

    @Test func aStreamOutlivesTheResultStore() async throws {
        let fixture = try await ServiceFixture.jobs()
        var parts = fixture.parts
        parts.results = DeafResultStore()
        let api = ServiceAPI(settings: ServiceSettings(services: try ServiceFixture.jobServices()), parts: parts)
        try await fixture.serve(api) { client in
            let id = try await client.create()
            _ = try await client.claim()
            var events = try await EventReader(client, id)
            #expect(try await events.next()?.data["status"] == "running")
            let beat = try await client.post("/jobs/\(id)/heartbeat", ["worker_id": "w-1", "progress": 1])
            #expect(beat.status == 200)
            #expect(try await client.get("/jobs/\(id)").json["progress"] == .null)
            _ = try await client.post("/jobs/\(id)/complete", ["worker_id": "w-1", "result": 5])
            #expect(try await events.next()?.data["result"] == 5)
        }
    }
}

extension ServiceFixture {
    /// Tells something under a claimed job's lease, as its worker would.
    func tell(_ id: String, _ lease: String, _ events: KeyValuePairs<HandlerEvent.Kind, String>) throws {
        let job = try #require(MeshID(id))
        let lease = try #require(MeshID(lease))
        for (kind, json) in events {
            parts.results.append(
                HandlerEvent(kind, Array(json.utf8)).bytes,
                to: ResultKey(.events, job, lease: lease),
                timeToLive: .seconds(60)
            )
        }
    }

    @Test(arguments: ["\u{2028}", "\u{2029}", "\u{85}", "\u{B}", "\u{C}"])
    func aNewlineOfUnicodeDoesNotEndALine(_ newline: String) {
        let event = JobEventStream.event("progress", id: "1.2-3", #"{"t":"a\#(newline)b"}"#)
        #expect(event == "id: 1.2-3\nevent: progress\ndata: {\"t\":\"a\(newline)b\"}\n\n")
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func aLineBreakBetweenMembersEndsALine(_ newline: String) {
        let event = JobEventStream.event("state", id: nil, "{\(newline)}")
        #expect(event == "event: state\ndata: {\ndata: }\n\n")
    }
}
