// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import Malla

/// Text of others can neither drive a terminal nor forge a line of a log.
@Suite struct HostileTextTests {
    @Test(arguments: [
        ("a\u{1B}[2Jb", #"a\u001b[2Jb"#), ("a\rb", #"a\u000db"#), ("a\u{9B}31m", #"a\u009b31m"#),
        ("\u{7F}\u{8}", #"\u007f\u0008"#),
        ("a\u{202E}b", #"a\u202eb"#), ("\u{2028}", #"\u2028"#), ("a\r\nINFO forged", #"a\u000d\nINFO forged"#),
        ("a\nb\tc", #"a\nb\tc"#), ("caf\u{E9} \u{1F600}", "caf\u{E9} \u{1F600}"), ("", ""),
    ])
    func controlsAreShownAndNotObeyed(text: String, shown: String) {
        #expect(Printable.text(text, keepingLines: false) == shown)
    }

    @Test func linesStayWhereTheyAreMeant() {
        #expect(Printable.text("a\nb\tc\u{1B}", keepingLines: true) == "a\nb\tc\\u001b")
        #expect(Printable.text("a\r\nb", keepingLines: true) == "a\\u000d\nb")
    }
}
