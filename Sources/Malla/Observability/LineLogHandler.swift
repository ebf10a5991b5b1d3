// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Logging
import Plumbing
import Workflow

/// Writes log lines to standard error: JSON for machines, aligned text for people.
struct LineLogHandler: LogHandler {
    /// How a line looks.
    enum Format: String, CaseIterable, Sendable {
        case json
        case text
    }

    let label: String
    let format: Format
    var logLevel: Logger.Level
    var mask = SecretMask.none
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let own = event.metadata { all.merge(own) { $1 } }
        let line =
            format == .json
            ? json(event.level, event.message, all) : text(event.level, event.message, all)
        // One write a line, so that lines of several threads never mix.
        FileHandle.standardError.write(Data((Printable.text(mask.masked(line), keepingLines: false) + "\n").utf8))
    }

    private func json(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
        var object = JSONObject([
            ("time", .string(Timestamp.now.rfc3339)), ("level", .string(level.rawValue)), ("logger", .string(label)),
            ("message", .string("\(message)")),
        ])
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { object[key] = .string("\(value)") }
        return String(decoding: JSON.object(object).bytes, as: UTF8.self)
    }

    private func text(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
        let time = Timestamp.now.rfc3339.dropFirst(11).dropLast()
        let fields = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let name = level.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)
        return "\(time) \(name)\(message)\(fields)"
    }
}
