// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The names that definitions may give; they end up in queue names, URLs and file names.
public enum DefinitionName {
    /// Tells whether it names an app, a service or a method: `[a-z0-9][a-z0-9-]{0,62}`.
    public static func isValid(_ name: String) -> Bool {
        isMade(name) { $0 == UInt8(ascii: "-") }
    }

    /// Tells whether it names a stage: as above, and `_` is allowed as well.
    public static func isStage(_ name: String) -> Bool {
        isMade(name) { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }

    private static func isMade(_ name: String, of other: (UInt8) -> Bool) -> Bool {
        guard (1...63).contains(name.utf8.count), let first = name.utf8.first, isAlphanumeric(first) else {
            return false
        }
        return name.utf8.allSatisfy { isAlphanumeric($0) || other($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
