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

    @Test func aTokenMayOpenSomeAppsAlone() {
        let tokens = NamedTokens(["p@shop:one", "q@shop+blog-2:two", "r:three", "four"], scoped: true)
        #expect(tokens.holder(of: "one") == .init(name: "p", apps: ["shop"]))
        #expect(tokens.holder(of: "two") == .init(name: "q", apps: ["shop", "blog-2"]))
        #expect(tokens.holder(of: "three") == .init(name: "r") && tokens.holder(of: "four")?.apps == nil)
        #expect(tokens.holder(of: "p@shop:one") == nil && tokens.holder(of: "shop:one") == nil)
        let (one, three) = (tokens.holder(of: "one"), tokens.holder(of: "three"))
        #expect(one?.opens("shop") == true && one?.opens("shop2") == false && one?.opens("") == false)
        #expect(three?.opens("anything") == true)
        #expect(NamedTokens.first(of: ["p@shop:one", "r:three", "x:y"], opening: "blog") == "three")
        #expect(NamedTokens.first(of: ["p@shop:one", "r:three"], opening: "shop") == "one")
        #expect(NamedTokens.first(of: ["p@shop:one"], opening: "blog") == nil)
    }

    /// What is no proper scope never opens more than was meant: the whole entry is the token.
    @Test(arguments: ["p@:x", "@shop:x", "p@shop+:x", "p@a b:x", "p@shop@blog:x", "p@shop:", "p@shop"])
    func aBrokenScopeIsNoScope(_ entry: String) {
        let tokens = NamedTokens([entry], scoped: true)
        #expect(tokens.name(of: "x") == nil && tokens.name(of: "") == nil)
        #expect(tokens.holder(of: entry) == .init(name: "default"))
    }

    @Test func whereThereAreNoAppsAScopeIsPartOfTheToken() {
        let tokens = NamedTokens(["p@shop:x"])
        #expect(tokens.name(of: "x") == nil && tokens.name(of: "p@shop:x") == "default")
    }

    @Test func noneAcceptNothing() {
        let tokens = NamedTokens([])
        #expect(tokens.isEmpty && tokens.name(of: "") == nil && tokens.name(of: "x") == nil)
    }
}
