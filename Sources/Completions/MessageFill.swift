// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

/// How many completions wait to be settled, about: brokers count messages, and one holds several.
public final class MessageFill: Sendable {
    private let seen = Mutex((messages: 0.0, completions: 0.0))
    private let here = Mutex<(@Sendable () -> Int)?>(nil)
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

    /// Names what tells how many completions were taken from the broker and wait in this process.
    func attach(_ here: @escaping @Sendable () -> Int) { self.here.withLock { $0 = here } }

    /// About how many completions wait when so many messages lie at the broker, with those that wait in this process.
    ///
    /// A message is taken for one completion while nothing has come.
    public func waiting(messages: Int) -> Int {
        let (seen, completions) = seen.withLock { $0 }
        let there = seen == 0 ? messages : Int((Double(messages) * completions / seen).rounded())
        return there + (here.withLock { $0 }?() ?? 0)
    }
}
