// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Foundation
import HTTPTransfer
import Hummingbird
import Ledger
import LedgerSQLite
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// The webhooks of direct jobs, through a real receiver.
@Suite(.timeLimit(.minutes(1))) struct DirectCallbackTests {
    private static let loopback = CIDR(parsing: "127.0.0.0/8")

    /// A direct job with a webhook that has just ended, as an App API settles an overdue one.
    private static func callback(_ fixture: MarketplaceFixture, _ url: String) async throws -> CallbackRecord {
        var labels = JobLabels()
        labels.webhook = url
        let job = Job(id: MeshID(), service: "alpha", createdAt: .now, labels: labels)
        try await fixture.ledger.create([JobRecord(job: job, input: Array(#"{"n":1}"#.utf8))])
        let outcome = try await fixture.ledger.settle(
            [Settlement(job: job.id, event: .cancelled)],
            tasks: [],
            finishing: fixture.finishing
        )
        return try #require(outcome.callbacks.first)
    }

    private static func delivery(_ fixture: MarketplaceFixture) -> CallbackDelivery {
        CallbackDelivery(
            settings: fixture.settings.callbacks,
            trusted: fixture.parts.trustedHTTP,
            guarded: fixture.parts.guardedHTTP,
            ledger: fixture.ledger,
            logger: fixture.parts.logger
        )
    }

    @Test func aWebhookIsSignedAndNeverGetsTheToken() async throws {
        let network = try #require(Self.loopback)
        try await HookReceiver.run { receiver in
            let origin = "http://127.0.0.1:\(receiver.port)"
            // The operator's own origin gets the token for tasks; a direct job's caller chose this URL.
            let fixture = try await MarketplaceFixture(callbackURL: "\(origin)/own", allowing: [network])
            let callback = try await Self.callback(fixture, "\(origin)/hook")
            #expect(await Self.delivery(fixture).attempt(callback))
            let received = try await receiver.next()
            #expect(received.path == "/hook" && received.header("x-marketplace-token") == nil)
            #expect(received.isSigned(with: CallbackDeliveryTests.secret))
            let body = try JSON(parsing: received.body)
            #expect(body["status"] == "CANCELLED" && body["input"] == ["n": 1])
            let (stored, attempts) = try #require(try await fixture.ledger.callbacks(of: callback.task).first)
            #expect(stored.state == .delivered && attempts.map(\.status) == [200])
        }
    }

    @Test func threeTriesAreAll() async throws {
        let network = try #require(Self.loopback)
        let busy: @Sendable (Int, HookReceiver.Received) async -> Response = { _, _ in
            Response(status: .internalServerError, headers: [.retryAfter: "3600"])
        }
        try await HookReceiver.run(answer: busy) { receiver in
            let fixture = try await MarketplaceFixture(allowing: [network])
            var callback = try await Self.callback(fixture, "http://127.0.0.1:\(receiver.port)/")
            for number in 1...3 {
                #expect(await Self.delivery(fixture).attempt(callback))
                let (stored, attempts) = try #require(try await fixture.ledger.callbacks(of: callback.task).first)
                #expect(attempts.count == number)
                #expect(stored.state == (number < 3 ? .pending : .abandoned))
                if number < 3, let attempt = attempts.last {
                    let wait = stored.dueAt - attempt.startedAt
                    #expect(wait > .milliseconds(9900) && wait < .seconds(20), "\(wait)")
                }
                callback = stored
            }
        }
    }

    @Test func aForbiddenNetworkIsNeverCalled() async throws {
        try await HookReceiver.run { receiver in
            let url = "http://127.0.0.1:\(receiver.port)/"
            // Even where it is the operator's own receiver: a caller must not borrow that trust.
            let fixture = try await MarketplaceFixture(callbackURL: url)
            let callback = try await Self.callback(fixture, url)
            #expect(await Self.delivery(fixture).attempt(callback) == false)
            #expect(receiver.count == 0)
        }
    }
}
