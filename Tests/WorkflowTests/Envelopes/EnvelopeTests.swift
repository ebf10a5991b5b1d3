// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

@testable import Workflow

@Suite struct EnvelopeTests {
    @Test func completionsSurviveTheWire() throws {
        let failure = Completion.Failure(JobError(.handler, "line\nbreak \u{1F600}", field: "/a"), handlerDied: true)
        for failure in [nil, failure] {
            for result in [[], Array("{\"a\":\"\\n\"}".utf8), [0, 10, 255]] {
                let completion = Completion(
                    job: MeshID(),
                    lease: MeshID(),
                    failure: failure,
                    result: result,
                    runMilliseconds: 12
                )
                #expect(try Completion(body: completion.body) == completion)
            }
        }
    }

    @Test(arguments: ["", "x", "{}\n", "{\"job\":\"1\"}\n", "[]\n{}", "\n"])
    func garbageIsNoCompletion(_ text: String) {
        #expect(throws: EnvelopeError.self) { try Completion(body: Array(text.utf8)) }
    }

    @Test func anyTicketIsATicket() {
        let id = MeshID()
        #expect(Ticket(body: Ticket(job: id).body).job == id)
        #expect(Ticket(body: []).job == nil)
        #expect(Ticket(body: Array("garbage".utf8)).job == nil)
    }

    @Test func handOversSurviveTheWire() throws {
        let entry = HandOver.Entry(job: MeshID(), service: "s", definition: "h", trace: "00-a-b-01")
        let handOver = HandOver(entries: [entry, .init(job: MeshID(), service: "t", definition: "", trace: nil)])
        #expect(HandOver(json: try JSON(parsing: handOver.json.bytes)) == handOver)
        #expect(HandOver(json: ["jobs": [["service": "s"]]]) == nil)
        let refusal = HandOver.Refusal(job: entry.job, reason: "full", retryAfter: .milliseconds(1500))
        #expect(HandOver.Refusal(json: try JSON(parsing: refusal.json.bytes)) == refusal)
    }
}
