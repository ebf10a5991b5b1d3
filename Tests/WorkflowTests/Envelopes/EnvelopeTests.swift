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

    @Test func completionsTravelTogether() throws {
        for count in [1, 2, 3, CompletionBatch.maxCount] {
            let bodies = (0..<count).map { number -> [UInt8] in
                let result = (0..<Int.random(in: 0...300)).map { _ in UInt8.random(in: 0...255) }
                return Completion(job: MeshID(), lease: MeshID(), failure: nil, result: result, runMilliseconds: number)
                    .body
            }
            let body = CompletionBatch.body(of: bodies)
            #expect(try CompletionBatch.bodies(of: body) == bodies)
            #expect(count > 1 || body == bodies[0], "one travels as it is")
            guard count > 1 else { continue }
            for wrong in [Array(body.dropLast()), body + [0], Array(body.prefix(3)), []] where wrong.first != nil {
                #expect(throws: EnvelopeError.self) { try CompletionBatch.bodies(of: wrong) }
            }
        }
    }

    @Test(arguments: [
        "[", "[]\n", "[1]", "[-1]\n", "[1.5]\na", "[2]\na", "[\"1\"]\na", "[9223372036854775807,1]\na", "[null]\n",
    ])
    func garbageIsNoBatch(_ text: String) {
        #expect(throws: EnvelopeError.self) { try CompletionBatch.bodies(of: Array(text.utf8)) }
        let many = "[\((0...CompletionBatch.maxCount).map { _ in "0" }.joined(separator: ","))]\n"
        #expect(throws: EnvelopeError.self) { try CompletionBatch.bodies(of: Array(many.utf8)) }
    }

    @Test func anyTicketIsATicket() {
        let id = MeshID()
        #expect(Ticket(body: Ticket(job: id).body).job == id)
        #expect(Ticket(body: []).job == nil)
        #expect(Ticket(body: Array("garbage".utf8)) == Ticket(job: nil))
        #expect(Ticket(job: id).body == id.bytes && Ticket(job: nil).body.isEmpty)
    }

    @Test func aTicketTellsForHowManyJobsItIs() throws {
        for hint in [nil, MeshID()] {
            for count in 1...Ticket.maxCount {
                let ticket = Ticket(job: hint, count: count)
                #expect(ticket.count == count && Ticket(body: ticket.body) == ticket)
            }
            #expect(Ticket(job: hint, count: 1000).count == Ticket.maxCount && Ticket(job: hint, count: 0).count == 1)
        }
        #expect(Ticket(body: [0]).count == 1 && Ticket(body: [255]).count == Ticket.maxCount)
        let service = ServiceDefinition(name: "s", engine: .remote, concurrency: 5)
        #expect(service.tickets(12).map(\.count) == [5, 5, 2] && service.tickets(0).isEmpty)
        #expect(ServiceDefinition(name: "s", engine: .remote, concurrency: 500).ticketSize == Ticket.maxCount)
    }

    @Test func handOversSurviveTheWire() throws {
        let entry = HandOver.Entry(job: MeshID(), service: "s", definition: "h", trace: "00-a-b-01")
        let handOver = HandOver(entries: [entry, .init(job: MeshID(), service: "t", definition: "", trace: nil)])
        #expect(HandOver(json: try JSON(parsing: handOver.json.bytes)) == handOver)
        #expect(HandOver(json: ["jobs": [["service": "s"]]]) == nil)
        let asking = HandOver(entries: [entry], asks: [CreditAsk(service: "s", jobs: 7, tickets: 2)])
        #expect(HandOver(json: try JSON(parsing: asking.json.bytes)) == asking)
        let odd: JSON = [
            "jobs": [], "credit": [["service": "s", "jobs": -1, "tickets": 9], ["jobs": 1], 5, ["service": "t"]],
        ]
        #expect(HandOver(json: odd)?.asks == [CreditAsk(service: "s"), CreditAsk(service: "t")])
        #expect(HandOver(json: ["jobs": [], "credit": 1])?.asks == [])
        let refusal = HandOver.Refusal(job: entry.job, reason: "full", retryAfter: .milliseconds(1500))
        #expect(HandOver.Refusal(json: try JSON(parsing: refusal.json.bytes)) == refusal)
        let credit = TicketCredit(service: "s", jobs: 17, workers: 3, duration: .milliseconds(900))
        for answer in [
            HandOver.Answer(), .init(refused: [refusal]), .init(refused: [refusal], credits: [credit]),
        ] {
            #expect(HandOver.Answer(json: try JSON(parsing: answer.json.bytes)) == answer)
        }
        #expect(HandOver.Answer(json: ["credits": []]) == nil)
    }

    @Test func ticketsHaveTheirFirstJobsHintsAndOnlySingleOnesATrace() {
        let jobs = (0..<7).map { (job: MeshID(), trace: String?.some("trace-\($0)")) }
        let service = ServiceDefinition(name: "s", engine: .remote, concurrency: 4)
        for (workers, counts) in [(0, [4, 3]), (1, [4, 3]), (3, [3, 3, 1]), (7, [1, 1, 1, 1, 1, 1, 1])] {
            let tickets = service.tickets(for: jobs, among: workers)
            #expect(tickets.map(\.ticket.count) == counts, "\(workers)")
            var first = 0
            for (ticket, trace) in tickets {
                #expect(ticket.job == jobs[first].job && trace == (ticket.count == 1 ? jobs[first].trace : nil))
                first += ticket.count
            }
        }
        #expect(service.tickets(for: [], among: 2).isEmpty)
    }
}
