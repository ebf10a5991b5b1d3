// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The `Retry-After` header of RFC 9110: seconds, or a date.
public enum RetryAfter {
    /// Reads the header; nil when it is neither.
    public static func parse(_ text: String?, now: Timestamp = .now) -> Duration? {
        guard let text = text?.trimming() else { return nil }
        if let seconds = Int64(text), seconds >= 0 { return .seconds(min(seconds, 31_536_000)) }
        guard let moment = date(text) else { return nil }
        return max(.zero, moment - now)
    }

    /// Parses `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that senders may generate.
    private static func date(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), let year = Int(parts[3]),
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return Timestamp(rfc3339: "\(year)-\(padded(month + 1))-\(padded(day))T\(parts[4])Z")
    }
}
