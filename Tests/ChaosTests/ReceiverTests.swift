// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTransfer
import Testing
import Workflow

@testable import MallaChaos

@Suite(.timeLimit(.minutes(1)))
struct ReceiverTests {
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    private let transfer = CurlTransfer()

    /// The example of Standard Webhooks' own specification.
    @Test func signaturesAreThoseOfStandardWebhooks() {
        let body = Array(#"{"test": 2432232314}"#.utf8)
        func isRight(
            _ secrets: [String],
            _ signature: String,
            _ body: [UInt8],
            id: String = "p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: String = "1614265330",
            at now: Double = 1_614_265_330
        ) -> Bool {
            CallbackSignature(secrets: secrets)
                .isRight(id: "msg_" + id, timestamp: timestamp, signatures: signature, body: body, at: now)
        }
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        #expect(isRight([Self.secret], right, body))
        #expect(isRight(["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Self.secret], "v1,AAAA " + right, body))
        #expect(!isRight(["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"], right, body))
        #expect(!isRight([Self.secret], right, body + [32]))
        #expect(!isRight([Self.secret], right, body, id: "other"))
        #expect(!isRight([Self.secret], "", body) && !isRight([], right, body))
        for off in [-300.0, 300] { #expect(isRight([Self.secret], right, body, at: 1_614_265_330 + off)) }
        for off in [-3600.0, -301, 301, 3600] {
            #expect(!isRight([Self.secret], right, body, at: 1_614_265_330 + off), "\(off) s off")
        }
        for time in ["", "now", "1614265331", "1614265330.0"] {
            #expect(!isRight([Self.secret], right, body, timestamp: time), "\(time)")
        }
    }

    @Test func itBehavesAsTold() async throws {
        let receiver = try await Receiver.start(secrets: [Self.secret])
        receiver.refuse(["gone"])
        #expect(try await post(receiver, "one") == 204)
        receiver.behave(.serverError)
        #expect(try await post(receiver, "one") == 500)
        #expect(try await post(receiver, "gone") == 410)
        receiver.behave(nil)
        #expect(try await post(receiver, "gone") == 410)
        #expect(try await post(receiver, "two") == 204)
        let arrivals = receiver.arrivals
        #expect(arrivals.map(\.answered) == [204, 500, 410, 410, 204])
        #expect(arrivals.map { $0.body["requestId"]?.string } == ["one", "one", "gone", "gone", "two"])
        #expect(arrivals.allSatisfy { $0.id == "id" && !$0.isSigned })
        #expect(arrivals[0].bodyHash == arrivals[1].bodyHash && arrivals[0].bodyHash != arrivals[2].bodyHash)
        await receiver.stop()
        #expect(receiver.port == 0)
    }

    @Test func itHangsUntilToldOtherwise() async throws {
        let receiver = try await Receiver.start(secrets: [])
        receiver.behave(.hang)
        let hanging = (0..<3).map { number in Task { try await post(receiver, "hang-\(number)") } }
        while receiver.arrivals.count < 3 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(receiver.arrivals.allSatisfy { $0.answered == nil })
        receiver.behave(nil)
        for task in hanging { await #expect(throws: TransferError.self) { try await task.value } }
        #expect(try await post(receiver, "after") == 204)
        #expect(receiver.arrivals.map(\.answered) == [nil, nil, nil, 204])
        await receiver.stop()
    }

    @Test func whatIsNoJSONIsTakenToo() async throws {
        let receiver = try await Receiver.start(secrets: [])
        let url = "http://127.0.0.1:\(receiver.port)/callback"
        let large = [UInt8](repeating: 0xFF, count: 3_000_000)
        #expect(try await transfer.send(TransferRequest("POST", url, body: .bytes(large))).head.status == 204)
        let arrival = try #require(receiver.arrivals.first)
        #expect(arrival.body == .null && arrival.id.isEmpty && arrival.bodyHash == PlannedOriginal.hash(large))
        await receiver.stop()
    }

    private func post(_ receiver: Receiver, _ key: String) async throws -> Int {
        let body: JSON = ["requestId": .string(key)]
        let request = TransferRequest(
            "POST",
            "http://127.0.0.1:\(receiver.port)/callback",
            headers: [("webhook-id", "id"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,AAAA")],
            body: .bytes(body.bytes)
        )
        return try await transfer.send(request).head.status
    }
}
