// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Ledger
import Plumbing
import Testing

@testable import Callbacks

@Suite struct CallbackRulesTests {
    /// The vector of the Standard Webhooks reference libraries.
    @Test func signatureMatchesTheReferenceVector() throws {
        let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let signature = secret.sign(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: 1_614_265_330,
            body: Array(#"{"test": 2432232314}"#.utf8)
        )
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test(arguments: ["", "whsec_", "whsec_not base64!", "whsec_c2hvcnQ="])
    func badSecretsAreRefused(_ text: String) {
        #expect(WebhookSecret(text) == nil)
    }

    @Test func scheduleIsTheContracts() {
        let schedule = CallbackSchedule.standardWebhooks
        let waits = (1...9).map { schedule.wait(afterAttempts: $0, retryAfter: nil, jitter: 0) }
        let hours: [Int64] = [2, 5, 10, 14, 20, 24]
        #expect(waits == [.seconds(5), .seconds(300), .seconds(1800)] + hours.map { .seconds($0 * 3600) })
        #expect(schedule.wait(afterAttempts: 10, retryAfter: .seconds(1)) == nil)
        #expect(schedule.wait(afterAttempts: 1, retryAfter: nil, jitter: 1) == .seconds(6))
    }

    @Test func directJobsFollowRunPodsRule() throws {
        let schedule = CallbackSchedule.of(Self.callback(app: CallbackRecord.directApp))
        #expect(schedule.wait(afterAttempts: 1, retryAfter: nil, jitter: 1) == .seconds(10))
        #expect(schedule.wait(afterAttempts: 2, retryAfter: .seconds(3600), jitter: 0) == .seconds(10))
        #expect(schedule.wait(afterAttempts: 3, retryAfter: nil) == nil)
        #expect(CallbackSchedule.of(Self.callback(app: "jobs")).delays.count == 10)
        let refused = CallbackDelivery.judge(status: 500, retryAfter: nil)
        #expect(CallbackDelivery.next(after: refused, attempts: 2, .runPod).state == .pending)
        #expect(CallbackDelivery.next(after: refused, attempts: 3, .runPod).state == .abandoned)
    }

    private static func callback(app: String) -> CallbackRecord {
        CallbackRecord(
            id: MeshID(),
            task: MeshID(),
            app: app,
            url: "http://localhost/",
            isTrusted: false,
            headers: [],
            body: [],
            dueAt: .now,
            createdAt: .now
        )
    }

    @Test func retryAfterIsHonouredUpToADay() {
        let schedule = CallbackSchedule.standardWebhooks
        #expect(schedule.wait(afterAttempts: 1, retryAfter: .seconds(90), jitter: 0) == .seconds(90))
        #expect(schedule.wait(afterAttempts: 1, retryAfter: .seconds(1 << 40), jitter: 0) == .seconds(86400))
    }

    @Test func retryAfterIsReadInBothForms() throws {
        #expect(RetryAfter.parse("120") == .seconds(120))
        #expect(RetryAfter.parse(" 7 ") == .seconds(7))
        #expect(RetryAfter.parse("-1") == nil)
        #expect(RetryAfter.parse("soon") == nil)
        #expect(RetryAfter.parse(nil) == nil)
        let now = try #require(Timestamp(rfc3339: "1994-11-06T08:49:07Z"))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:49:37 GMT", now: now) == .seconds(30))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:48:37 GMT", now: now) == .zero)
    }

    @Test(arguments: [200, 204, 299]) func anyTwoHundredIsDelivered(_ status: Int) {
        let next = CallbackDelivery.next(after: CallbackDelivery.judge(status: status, retryAfter: nil), attempts: 1)
        #expect(next.state == .delivered && next.wait == nil)
    }

    @Test func goneStopsAtOnce() {
        let next = CallbackDelivery.next(after: CallbackDelivery.judge(status: 410, retryAfter: nil), attempts: 1)
        #expect(next.state == .abandoned)
    }

    @Test(arguments: [301, 400, 404, 429, 500, 503]) func anythingElseIsTriedAgain(_ status: Int) {
        let verdict = CallbackDelivery.judge(status: status, retryAfter: nil)
        #expect(CallbackDelivery.next(after: verdict, attempts: 1).state == .pending)
        #expect(CallbackDelivery.next(after: verdict, attempts: 10).state == .abandoned)
    }

    @Test func originsIgnoreCaseAndDefaultPorts() {
        #expect(URLOrigin("HTTPS://Example.com/a?b") == URLOrigin("https://example.com:443/"))
        #expect(URLOrigin("http://example.com") != URLOrigin("https://example.com"))
        #expect(URLOrigin("http://example.com:8080") != URLOrigin("http://example.com"))
    }

    @Test(arguments: [
        "", "example.com", "ftp://example.com", "http://", "http://user:secret@example.com", "http://a b",
    ])
    func badURLsHaveNoOrigin(_ url: String) {
        #expect(URLOrigin(url) == nil)
    }

    @Test func aWindowFollowsItsReceiver() {
        var window = ReceiverWindow()
        #expect(window.size == 4 && !window.isSilent)
        for _ in 0..<100 { window.note(answered: true) }
        #expect(window.size == 64)
        for _ in 0..<10 { window.note(answered: false) }
        #expect(window.size == 1 && window.isSilent)
        window.note(answered: true)
        #expect(window.size == 2 && !window.isSilent)
    }

    @Test func aQueueKeepsItsOrder() {
        var queue = FirstInFirstOut<Int>()
        #expect(queue.popFirst() == nil)
        var next = 0
        for number in 0..<10_000 {
            queue.append(number)
            if number % 3 == 0 {
                #expect(queue.popFirst() == next)
                next += 1
            }
        }
        while let number = queue.popFirst() {
            #expect(number == next)
            next += 1
        }
        #expect(next == 10_000 && queue.isEmpty)
    }
}
