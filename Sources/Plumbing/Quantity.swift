// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Reads quantities as people write them in settings and definitions: `5m`, `1.5s`, `10MiB`.
public enum Quantity {
    /// Parses a duration: a number with `us`, `ms`, `s`, `m`, `h` or `d`; a bare number is seconds; nil when it is not one.
    public static func duration(_ text: String) -> Duration? {
        guard let (number, unit) = split(text), let seconds = Self.seconds[unit] else { return nil }
        let microseconds = number * seconds * 1_000_000
        guard microseconds >= 0, microseconds < 9e15 else { return nil }
        return .microseconds(Int64(microseconds.rounded()))
    }

    /// Parses a size in bytes: a number with `B`, `KiB`, `MiB`, `GiB`, `KB`, `MB` or `GB`; a bare number is bytes.
    public static func bytes(_ text: String) -> Int? {
        guard let (number, unit) = split(text), let factor = factors[unit] else { return nil }
        let bytes = number * factor
        guard bytes >= 0, bytes < 9e15 else { return nil }
        return Int(bytes)
    }

    /// Writes a duration as a person reads it: `350 ms`, `2.4 s`, `3 min 20 s`, `5 h 2 min`.
    public static func text(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        switch milliseconds {
        case ..<1000: return "\(milliseconds) ms"
        case ..<60_000:
            let tenths = (milliseconds + 50) / 100
            return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
        case ..<3_600_000: return "\(milliseconds / 60_000) min \(milliseconds % 60_000 / 1000) s"
        default: return "\(milliseconds / 3_600_000) h \(milliseconds % 3_600_000 / 60_000) min"
        }
    }

    private static let seconds: [String: Double] = [
        "": 1, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400,
    ]

    private static let factors: [String: Double] = [
        "": 1, "B": 1, "KiB": 1024, "MiB": 1_048_576, "GiB": 1_073_741_824, "KB": 1e3, "MB": 1e6, "GB": 1e9,
    ]

    private static func split(_ text: String) -> (number: Double, unit: String)? {
        let numberEnd = text.firstIndex { !($0.isASCII && $0.isNumber) && $0 != "." } ?? text.endIndex
        guard let number = Double(text[..<numberEnd]) else { return nil }
        return (number, text[numberEnd...].filter { $0 != " " })
    }
}
