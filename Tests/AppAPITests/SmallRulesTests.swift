// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Plumbing
import Testing
import Workflow

@testable import AppAPI

@Suite struct SmallRulesTests {
    @Test func traceparentIsTakenOrMade() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        #expect(TraceContext(parsing: given).traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(TraceContext(parsing: given).traceparent == given)
        for bad in [
            nil, "", "00-xyz", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            let made = TraceContext(parsing: bad)
            #expect(TraceContext.traceID(of: made.traceparent) == made.traceID)
            #expect(made.traceID != "4bf92f3577b34da6a3ce929d0e0e4736")
        }
    }

    @Test func dataURLsAreDecoded() throws {
        let picture = try #require(DataURL("data:image/png;base64,iVBORw0="))
        #expect(picture.contentType == "image/png" && picture.bytes == [0x89, 0x50, 0x4E, 0x47, 0x0D])
        #expect(DataURL("data:,a%20b")?.bytes == Array("a b".utf8))
        #expect(DataURL("data:;base64,!!!") == nil)
        #expect(DataURL("data:,a%2") == nil)
        #expect(DataURL("data:none") == nil)
        #expect(DataURL.isMeant("data:image/png;base64,AA==") && !DataURL.isMeant("data: see table 1, row 2"))
    }

    @Test func uploadKeysStayInTheirFolder() {
        func caller(_ user: String, _ role: CallerIdentity.Role = .user, apps: Set<String>? = nil) -> CallerIdentity {
            CallerIdentity(user: user, role: role, token: "t", apps: apps)
        }
        let ann = caller("ann")
        #expect(UploadKey.forUpload("a.jpg", ann) == "uploads/ann/a.jpg")
        #expect(UploadKey.forUpload("uploads/ann/a.jpg", ann) == "uploads/ann/a.jpg")
        for trick in ["", "/a", "../a", "a/../b", "a//b", "a\\b", "a\u{0}b", "uploads/bob/a", "originals/x", "./a"] {
            #expect(UploadKey.forUpload(trick, ann) == nil, "\(trick)")
        }
        let odd = UploadKey.folder(of: caller("../bob"))
        #expect(odd.hasPrefix("uploads/~") && UploadKey.folder(of: caller("../bob")) == odd)
        #expect(UploadKey.mayRead("originals/ab", ann) && !UploadKey.mayRead("uploads/bob/a", ann))
        #expect(!UploadKey.mayRead("uploads/annabel/a", ann) && UploadKey.mayRead("uploads/bob/a", caller("r", .admin)))
        // Who has the token of an app can name any user and any role, but reaches that app's uploads alone.
        let partner = caller("ann", apps: ["shop"])
        #expect(UploadKey.forUpload("a.jpg", partner) == "uploads/@shop/ann/a.jpg")
        for user in ["@shop", "@shop/ann", "~x", ".", "..", "", "a/b"] {
            #expect(UploadKey.folder(of: caller(user)).hasPrefix("uploads/~"), "\(user)")
        }
        for key in ["uploads/ann/a.jpg", "uploads/@blog/ann/a.jpg", "uploads/@shop+blog/ann/a.jpg"] {
            #expect(!UploadKey.mayRead(key, partner) && UploadKey.forUpload(key, partner) == nil, "\(key)")
            #expect(!UploadKey.mayRead(key, caller("root", .admin, apps: ["shop"])), "\(key)")
        }
        #expect(!UploadKey.mayRead("uploads/@shop/bob/a", partner) && !UploadKey.mayRead("uploads/@shop/ann/a", ann))
        #expect(UploadKey.mayRead("uploads/@shop/bob/a", caller("root", .admin, apps: ["shop"])))
    }

    @Test func fingerprintTellsBodiesApart() {
        let base = CallRoute.fingerprint("m", nil, ["a": 1])
        #expect(base == CallRoute.fingerprint("m", nil, ["a": 1]))
        #expect(base != CallRoute.fingerprint("m", nil, ["a": 2]))
        #expect(base != CallRoute.fingerprint("n", nil, ["a": 1]))
        #expect(base != CallRoute.fingerprint("m", "https://example.com", ["a": 1]))
    }

    @Test func tokensAreComparedWhole() throws {
        let gate = CallerGate(tokens: ["old-token", "new-token", ""])
        var headers: HTTPFields = [:]
        headers.set("x-user-id", "ann")
        #expect(throws: MarketplaceRefusal.self) { try gate.identify(headers) }
        for wrong in ["", "old", "old-tokens", "OLD-TOKEN"] {
            headers.set("x-marketplace-token", wrong)
            #expect(throws: MarketplaceRefusal.self) { try gate.identify(headers) }
        }
        for right in ["old-token", "new-token"] {
            headers.set("x-marketplace-token", right)
            #expect(try gate.identify(headers).user == "ann")
            #expect(try gate.identify(headers).role == .user)
        }
        headers.set("x-user-role", "owner")
        #expect(throws: MarketplaceRefusal.self) { try gate.identify(headers) }
    }

    @Test(arguments: ["x-marketplace-token", "x-user-id", "x-user-role"])
    func whoCallsStandsOnceInTheHeaders(name: String) throws {
        let gate = CallerGate(tokens: ["token"])
        var headers: HTTPFields = [:]
        for (name, value) in [("x-marketplace-token", "token"), ("x-user-id", "ann"), ("x-user-role", "user")] {
            headers.set(name, value)
        }
        #expect(try gate.identify(headers).user == "ann")
        let field = try #require(headers.first { $0.name.canonicalName == name })
        headers.append(field)
        let refusal = #expect(throws: MarketplaceRefusal.self) { try gate.identify(headers) }
        #expect(refusal?.reason.hasPrefix("\(name): the header is here 2 times") == true)
    }

    @Test func durationsAreSecondsWithMilliseconds() {
        #expect(EnvelopeWriter.seconds(nil) == -1)
        #expect(EnvelopeWriter.seconds(.milliseconds(3204)) == .number(JSONNumber(3.204)))
        #expect(EnvelopeWriter.seconds(.milliseconds(-5)) == 0)
    }
}
