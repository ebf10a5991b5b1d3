// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The command that performs a run once more: the same load and faults on a mesh of the same parts.
struct RepeatCommand: Sendable {
    let seed: UInt64
    let settings: RunSettings
    let parts: ChaosPlace.Parts
    /// The path of `malla-chaos`.
    let program: String

    /// A line for a shell.
    var text: String {
        var words = [program, "run", "\(seed)", "--tasks", "\(settings.tasks)"]
        if settings.isRolling {
            words.append("--rolling")
        } else {
            words += ["--faults", "\(settings.faults)", "--seconds", "\(settings.seconds)"]
            if !settings.only.isEmpty { words += ["--only", settings.only] }
        }
        if !settings.clockJumps { words.append("--no-clock-jumps") }
        words += ["--malla", parts.binary, "--python", parts.python]
        return words.map(Self.quoted).joined(separator: " ")
    }

    /// A word as a shell reads it back.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "/._-+:=@".utf8.contains(byte)
            }
        }
        guard !isPlain || word.isEmpty else { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
