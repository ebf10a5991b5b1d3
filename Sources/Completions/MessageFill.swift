// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// How many completions a message has held lately: brokers count messages.
public final class MessageFill: Sendable {
    private let seen = Mutex((messages: 0.0, completions: 0.0))
    /// So many messages are remembered, give or take a half.
    private static let memory = 512.0

    /// Makes one that has seen nothing.
    public init() {}

    /// Counts messages that came, and the completions in them.
    func add(messages: Int, completions: Int) {
        seen.withLock { seen in
            if seen.messages > Self.memory { seen = (seen.messages / 2, seen.completions / 2) }
            seen = (seen.messages + Double(messages), seen.completions + Double(completions))
        }
    }

    /// About how many completions so many messages hold; one each while nothing has come.
    public func completions(in messages: Int) -> Int {
        let (seen, completions) = seen.withLock { $0 }
        return seen == 0 ? messages : Int((Double(messages) * completions / seen).rounded())
    }
}
