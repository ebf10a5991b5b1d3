// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MediaStore
import Testing

/// Keys from strangers stay below the folder that they are put in.
@Suite struct HostileKeyTests {
    @Test(arguments: [
        "", "/", "/etc/passwd", "a//b", "a/", "..", "../a", "a/../b", "a/./b", "a/..", "a\\..\\b", "a\u{0}b", "a\nb",
        "a\r\nb",
        "a\u{7F}b", "a\u{9B}b", "x/../\u{301}y", "x/..\u{200D}/../y", "x/\u{301}/../y", "/\u{20DD}a",
        String(repeating: "a", count: 1025),
    ])
    func keysThatCouldLeadElsewhereAreNone(key: String) {
        #expect(!MediaReference.isKey(key))
        #expect(MediaReference("s3://media/\(key)") == nil)
    }

    @Test(arguments: [
        "a", "%2e%2e/x", "a b", "a+b?c#d", "...", "a/..b/c..", "\u{E9}", "e\u{301}", "\u{1F600}", "~", "$(x)", "'",
    ])
    func oddNamesAreKeys(key: String) {
        #expect(MediaReference.isKey(key))
    }

    /// A decoder reads `%2e%2e` once, never twice.
    @Test func percentSignsAreDecodedOnce() {
        #expect(MediaNaming.percentDecoded("%252e%252e") == "%2e%2e")
        #expect(MediaNaming.percentEncoded("../%2e", keepingSlashes: true) == "../%252e")
        for text in ["%", "%2", "%zz", "%+1", "%-1", "%ff", "%c0%80"] {
            #expect(MediaNaming.percentDecoded(text) == nil, "\(text)")
        }
    }
}
