// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Foundation
import HTTPTransfer
import Hummingbird
import Ledger
import LedgerSQLite
import Logging
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// Receivers that are private, dead or slow.
@Suite(.timeLimit(.minutes(1))) struct CallbackNetworkTests {
    private static let loopback = CIDR(parsing: "127.0.0.0/8")

    /// Spellings of loopback that no look at the URL tells: a name of this machine's, and numbers that libc reads.
    private static var disguises: [String] {
        let name = ProcessInfo.processInfo.hostName
        return ["127.1", "2130706433"] + (resolvesToLoopback(name) ? [name] : [])
    }

    private static func resolvesToLoopback(_ name: String) -> Bool {
        guard name != "localhost", let host = gethostbyname(name), host.pointee.h_addrtype == AF_INET,
            let first = host.pointee.h_addr_list[0]
        else { return false }
        return first.withMemoryRebound(to: UInt8.self, capacity: 1) { $0.pointee == 127 }
    }

    @Test func aNameOfAPrivateAddressIsNeverReached() async throws {
        try await HookReceiver.run { receiver in
            let fixture = try await MarketplaceFixture()
            try await fixture.serve(withServices: true) { client in
                for host in Self.disguises {
                    let url = "http://\(host):\(receiver.port)/"
                    let answer = try await client.call(callbackURL: url)
                    // Refused at once or when it would be connected to: both will do.
                    guard answer.status == 200 else {
                        #expect(answer.status == 400 && answer.reason.hasPrefix("callbackUrl"))
                        continue
                    }
                    let task = try await client.ended(answer.task)
                    let callback = try await client.callback(of: task) { $0.attempts.count == 1 }
                    #expect(callback.statuses == [nil])
                    let error = callback.attempts.first?["error"]?.string ?? ""
                    #expect(error.contains("forbidden"), "\(host): \(error)")
                }
                #expect(receiver.count == 0)
            }
        }
    }

    @Test func anAllowedNetworkIsReached() async throws {
        let network = try #require(Self.loopback)
        try await HookReceiver.run { receiver in
            let fixture = try await MarketplaceFixture(allowing: [network])
            try await fixture.serve(withServices: true) { client in
                for host in Self.disguises + ["127.0.0.1"] {
                    _ = try await client.ended(callbackURL: "http://\(host):\(receiver.port)/")
                    let received = try await receiver.next()
                    #expect(received.header("x-marketplace-token") == nil)
                    #expect(received.isSigned(with: CallbackDeliveryTests.secret))
                }
                #expect(try await client.call(callbackURL: "http://10.0.0.1/").status == 400)
            }
        }
    }

    @Test func anUnreachableReceiverIsTriedAgainAndTold() async throws {
        // Port 1 of loopback: nobody listens there.
        let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:1/")
        try await fixture.serve(withServices: true) { client in
            let callback = try await client.callback(of: try await client.ended()) { $0.attempts.count == 1 }
            #expect(callback.state == "pending" && callback.statuses == [nil])
            #expect(callback.attempts.first?["error"]?.string?.contains("unreachable") == true)
        }
    }

    @Test func aReceiverThatNeverAnswersIsGivenUp() async throws {
        try await HookReceiver.run(answer: HookReceiver.never) { receiver in
            let fixture = try await MarketplaceFixture(callbackURL: "http://127.0.0.1:\(receiver.port)/")
            try await fixture.serve { client in
                let ended = try await client.ended()
                let task = try #require(MeshID(ended))
                let callback = try #require(try await fixture.ledger.callbacks(of: task).first?.callback)
                var settings = fixture.settings.callbacks
                settings.timeout = .milliseconds(300)
                let delivery = CallbackDelivery(
                    settings: settings,
                    trusted: fixture.parts.trustedHTTP,
                    guarded: fixture.parts.guardedHTTP,
                    ledger: fixture.ledger,
                    logger: fixture.parts.logger
                )
                #expect(await delivery.attempt(callback) == false)
                let (stored, attempts) = try #require(try await fixture.ledger.callbacks(of: task).first)
                #expect(stored.state == .pending && attempts.count == 1 && attempts[0].status == nil)
                #expect(attempts[0].error?.contains("timeout") == true && attempts[0].duration < .seconds(5))
            }
        }
    }

    /// More silent receivers than the sender has places in all, were they to get four each.
    @Test func silentReceiversDelayNobodyElse() async throws {
        let network = try #require(Self.loopback)
        try await HookReceiver.run(host: "0.0.0.0", answer: HookReceiver.never) { silent in
            try await HookReceiver.run { receiver in
                let fixture = try await MarketplaceFixture(allowing: [network])
                try await fixture.serve(withServices: true) { client in
                    for number in 0..<200 {
                        let url = "http://127.0.0.\(2 + number % 20):\(silent.port)/"
                        _ = try await client.ended(callbackURL: url)
                    }
                    let start = ContinuousClock.now
                    let task = try await client.ended(callbackURL: "http://127.0.0.1:\(receiver.port)/")
                    let received = try await receiver.next()
                    #expect(try JSON(parsing: received.body)["taskId"]?.string == task)
                    // The silent ones hold their places for 15 s.
                    #expect(ContinuousClock.now - start < .seconds(10))
                    #expect(silent.count >= 64)
                }
            }
        }
    }
}
