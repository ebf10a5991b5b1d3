// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import Plumbing
import Synchronization

/// What a handler's process writes: the end is kept, every line goes to the log.
final class HandlerOutput: Sendable {
    private struct State {
        var kept: [UInt8] = []
        var line: [UInt8] = []
    }

    /// How much of the end is kept, in bytes.
    static let limit = 64 << 10
    private static let lineLimit = 4096

    private let state = Mutex(State())
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    /// Takes what was read from the process.
    func append(_ bytes: ArraySlice<UInt8>) {
        let lines = state.withLock { state -> [[UInt8]] in
            state.kept += bytes
            // Cut only once twice the limit is there, so that a chatty handler is not copied at every read.
            if state.kept.count > 2 * Self.limit { state.kept.removeFirst(state.kept.count - Self.limit) }
            var lines: [[UInt8]] = []
            for byte in bytes {
                if byte == UInt8(ascii: "\n") || state.line.count >= Self.lineLimit {
                    lines.append(state.line)
                    state.line = []
                }
                if byte != UInt8(ascii: "\n") { state.line.append(byte) }
            }
            return lines
        }
        guard logger.logLevel <= .debug else { return }
        for line in lines where !line.isEmpty {
            logger.debug("handler output", metadata: ["line": "\(String(decoding: line, as: UTF8.self))"])
        }
    }

    /// The end of the output, at most `limit` bytes.
    func tail(_ limit: Int = HandlerOutput.limit) -> String {
        state.withLock { String(decoding: $0.kept.suffix(limit), as: UTF8.self) }
    }
}
