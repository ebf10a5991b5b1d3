// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Makes text of others safe to show: a job's label or error must not drive a terminal or forge a line of a log.
enum Printable {
    /// The text with control characters, and those that turn the direction of writing, as JSON escapes.
    ///
    /// - Parameter keepingLines: whether line feeds and tabs stay as they are.
    static func text(_ text: String, keepingLines: Bool) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where keepingLines, "\t" where keepingLines: shown.append(scalar)
            case "\n": shown.append(contentsOf: "\\n".unicodeScalars)
            case "\t": shown.append(contentsOf: "\\t".unicodeScalars)
            case _ where isUnsafe(scalar.value):
                let digits = String(scalar.value, radix: 16)
                let zeros = String(repeating: "0", count: 4 - digits.count)
                shown.append(contentsOf: "\\u\(zeros)\(digits)".unicodeScalars)
            default: shown.append(scalar)
            }
        }
        return String(shown)
    }

    /// C0 and C1 controls, line and paragraph separators, marks and overrides of the direction of writing.
    private static func isUnsafe(_ value: UInt32) -> Bool {
        switch value {
        case 0..<0x20, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
