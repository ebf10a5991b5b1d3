// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import Synchronization

/// Keeps what is logged.
final class RecordedLogs: Sendable {
    private let lines = Mutex<[String]>([])

    /// The messages so far.
    var all: [String] { lines.withLock { $0 } }

    /// How many messages begin so.
    func count(_ start: String) -> Int { all.count { $0.hasPrefix(start) } }

    /// A logger that writes here.
    var logger: Logger { Logger(label: "test") { _ in Handler(logs: self) } }

    private struct Handler: LogHandler {
        let logs: RecordedLogs
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            logs.lines.withLock { $0.append("\(event.message)") }
        }
    }
}
