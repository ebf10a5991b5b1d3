// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Testing

@Suite struct NamedTokensTests {
    @Test func namesAreFoundByTokens() {
        let tokens = NamedTokens(["plain", "partner:s3cret", "p.2-x_Y:with:colons"])
        #expect(tokens.names == ["default", "partner", "p.2-x_Y"])
        #expect(tokens.name(of: "plain") == "default")
        #expect(tokens.name(of: "s3cret") == "partner")
        #expect(tokens.name(of: "with:colons") == "p.2-x_Y")
        for wrong in ["", "partner", "partner:s3cret", "S3cret", "s3cret ", "plain\n"] {
            #expect(tokens.name(of: wrong) == nil, "\(wrong)")
        }
    }

    @Test func headersAreReadAsClientsSendThem() {
        let tokens = NamedTokens(["a:one"])
        for header in ["Bearer one", "bearer one", "BEARER   one", "one"] {
            #expect(tokens.name(ofAuthorization: header) == "a", "\(header)")
        }
        #expect(tokens.name(ofAuthorization: "Bearer two") == nil && tokens.name(ofAuthorization: "Bearer ") == nil)
    }

    @Test(arguments: [":x", "a b:x", "name:", "ключ:x", String(repeating: "n", count: 65) + ":x"])
    func whatHasNoNameIsATokenAsAWhole(_ entry: String) {
        #expect(NamedTokens.split(entry) == (NamedTokens.plainName, entry))
        #expect(NamedTokens([entry]).name(of: entry) == "default")
    }

    @Test func noneAcceptNothing() {
        let tokens = NamedTokens([])
        #expect(tokens.isEmpty && tokens.name(of: "") == nil && tokens.name(of: "x") == nil)
    }
}
