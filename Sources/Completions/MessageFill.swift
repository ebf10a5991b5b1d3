// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Synchronization

/// How many completions wait to be settled, about: brokers count messages, and one holds several.
public final class MessageFill: Sendable {
    private let ratio = Mutex(RecentRatio())
    private let here = LateClosure { 0 }

    /// Makes one that has seen nothing.
    public init() {}

    /// Counts messages that came, and the completions in them.
    func add(messages: Int, completions: Int) {
        ratio.withLock { $0.add(messages: messages, parts: completions) }
    }

    /// Names what tells how many completions were taken from the broker and wait in this process.
    func attach(_ here: @escaping @Sendable () -> Int) { self.here.name(here) }

    /// About how many completions wait when so many messages lie at the broker, with those that wait in this process.
    ///
    /// A message is taken for one completion while nothing has come.
    public func waiting(messages: Int) -> Int {
        ratio.withLock { $0.parts(in: messages) } + here()
    }
}
