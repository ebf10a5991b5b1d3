// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The W3C trace context of a request: what came in `traceparent`, or a fresh one.
struct TraceContext: Sendable, Hashable {
    /// 32 hexadecimal digits.
    let traceID: String
    /// The `traceparent` to hand on.
    let traceparent: String

    /// Reads a `traceparent` header; a missing or malformed one starts a new trace, as the recommendation asks.
    init(parsing header: String?) {
        if let header, let traceID = Self.traceID(of: header) {
            self.traceID = traceID
            traceparent = header
        } else {
            traceID = Self.digits(.random(in: 1...UInt64.max)) + Self.digits(.random(in: 1...UInt64.max))
            traceparent = "00-\(traceID)-\(Self.digits(.random(in: 1...UInt64.max)))-01"
        }
    }

    /// The trace id of a `traceparent`; nil when it is malformed.
    static func traceID(of traceparent: String) -> String? {
        let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].utf8.count == 2, parts[0] != "ff", parts[1].utf8.count == 32,
            parts[2].utf8.count == 16, parts[3].utf8.count == 2, parts[0] != "00" || parts.count == 4,
            traceparent.utf8.count <= 512, parts.prefix(4).allSatisfy({ $0.utf8.allSatisfy(isLowerHexadecimal) }),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        return String(parts[1])
    }

    private static func isLowerHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func digits(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
}
