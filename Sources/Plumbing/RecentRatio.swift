// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How many parts a message has held lately: brokers count messages, and one may hold several.
package struct RecentRatio: Sendable {
    /// So many messages are remembered, give or take a half.
    private static let memory = 512.0
    private var messages = 0.0
    private var parts = 0.0

    /// Makes one that has seen nothing.
    package init() {}

    /// Counts messages, and the parts in them.
    package mutating func add(messages: Int, parts: Int) {
        if self.messages > Self.memory { (self.messages, self.parts) = (self.messages / 2, self.parts / 2) }
        self.messages += Double(messages)
        self.parts += Double(parts)
    }

    /// About how many parts so many messages hold; one each while none has been seen.
    package func parts(in messages: Int) -> Int {
        self.messages == 0 ? messages : Int((Double(messages) * parts / self.messages).rounded())
    }
}
