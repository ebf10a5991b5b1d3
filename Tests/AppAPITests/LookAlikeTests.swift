// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import AppAPI

@Suite struct LookAlikeTests {
    /// Swift holds these texts for equal, a ledger and a media store do not.
    @Test(arguments: [("\u{E9}va", "e\u{301}va"), ("Kate", "\u{212A}ate")])
    func whoLooksAlikeIsSomebodyElse(_ one: String, _ other: String) {
        #expect(one == other)
        let caller = CallerIdentity(user: one, role: .user, token: "t", apps: ["a"])
        #expect(caller.maySee(one) && !caller.maySee(other))
        let key = "uploads/@a/\(other)/x"
        #expect(!UploadKey.mayRead(key, caller) && UploadKey.forUpload(key, caller) == nil)
    }
}
