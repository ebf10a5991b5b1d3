// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Where a reader stands in the events of a job: `<attempt>.<id in the attempt's stream>`.
struct EventPlace: Sendable, Hashable {
    /// The attempt.
    var attempt: Int
    /// The id of the last event that was read.
    var entry: String

    init(attempt: Int, entry: String) {
        self.attempt = attempt
        self.entry = entry
    }

    /// Reads an event's id; nil when it is none of these, and the stream begins anew then.
    init?(_ text: String) {
        guard let dot = text.firstIndex(of: "."), let attempt = Int(text[..<dot]), attempt > 0 else { return nil }
        let entry = text[text.index(after: dot)...]
        guard (1...40).contains(entry.utf8.count), entry.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == "-") }) else {
            return nil
        }
        self.init(attempt: attempt, entry: String(entry))
    }

    /// The event's id.
    var text: String { "\(attempt).\(entry)" }
}
