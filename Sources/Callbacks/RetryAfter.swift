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
        guard let moment = Timestamp(httpDate: text) else { return nil }
        return max(.zero, moment - now)
    }
}
