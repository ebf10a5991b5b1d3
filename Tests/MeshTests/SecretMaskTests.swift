// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@testable import Malla

/// What the mask of logs takes for a secret, and what it leaves.
@Suite struct SecretMaskTests {
    @Test(arguments: [#"pass"word"1"#, #"back\slash\1"#, "tab\tand\u{1}more", "caf\u{E9}-geheim"])
    func secretsAreBlottedInLinesOfJSON(secret: String) throws {
        let object = JSONObject([("error", .string("login with \(secret) failed"))])
        let line = String(decoding: JSON.object(object).bytes, as: UTF8.self)
        let mask = SecretMask(values: [secret])
        #expect(mask.masked(line) == #"{"error":"login with *** failed"}"#)
        #expect(mask.masked("login with \(secret) failed") == "login with *** failed")
    }

    @Test func tokensMayHoldColons() {
        let mask = SecretMask(values: ["runpod:rpa_longtoken:v2, shop@app:other-token"])
        #expect(mask.masked("shown: rpa_longtoken:v2.") == "shown: ***.")
        #expect(mask.masked("shown: other-token.") == "shown: ***.")
    }

    @Test func wordsInServersURLsAreNoSecrets() {
        let mask = SecretMask(values: [
            "postgresql://malla:first-secret@db/malla?sslmode=verify-full&password=second-secret",
            "https://market.example/callback?token=third-secret",
        ])
        #expect(mask.masked("sslmode verify-full needs a root") == "sslmode verify-full needs a root")
        #expect(mask.masked("first-secret second-secret third-secret") == "*** *** ***")
    }
}
