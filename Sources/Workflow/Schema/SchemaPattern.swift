// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A `pattern` of a schema; it is searched for, not anchored.
///
/// Unchecked: `Regex` is not `Sendable` for the closures that a builder can put into it; one that was parsed from
/// text has none, is never changed here, and the library stores its lowered program atomically.
struct SchemaPattern: @unchecked Sendable {
    let text: String
    private let regex: Regex<AnyRegexOutput>

    /// Compiles a pattern; nil when it is no regular expression.
    init?(_ text: String) {
        // What is wrong with a pattern is not said better by the library than by the pattern itself.
        guard let regex = try? Regex(text) else { return nil }
        self.text = text
        // ECMA-262, which JSON Schema asks for, matches code points, and ASCII with \d, \w and \s.
        self.regex = regex.matchingSemantics(.unicodeScalar).asciiOnlyDigits().asciiOnlyWordCharacters()
    }

    func isFound(in value: String) -> Bool { value.contains(regex) }
}
