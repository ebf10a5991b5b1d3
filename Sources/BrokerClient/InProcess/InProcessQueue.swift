// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient

/// A queue in memory: what was given back comes first, in the order of the messages' arrival.
struct InProcessQueue {
    /// A message in its place.
    struct Stored {
        var message: Message
        /// When it came, counted over all queues.
        var place: UInt64
        var isRedelivered = false
    }

    /// Whether it goes with its last consumer.
    let isTransient: Bool
    private var fresh: [Stored] = []
    private var firstFresh = 0
    /// What was given back, the earliest last.
    ///
    /// All of them came before every fresh one.
    private var returned: [Stored] = []

    /// Its consumers, the next to get a message first.
    var consumers: [UInt64] = []

    init(isTransient: Bool) {
        self.isTransient = isTransient
    }

    var count: Int { fresh.count - firstFresh + returned.count }

    mutating func append(_ stored: Stored) {
        fresh.append(stored)
    }

    mutating func putBack(_ messages: [Stored]) {
        guard !messages.isEmpty else { return }
        returned += messages
        returned.sort { $0.place > $1.place }
    }

    mutating func takeFirst() -> Stored? {
        if let first = returned.popLast() { return first }
        guard firstFresh < fresh.count else { return nil }
        let first = fresh[firstFresh]
        firstFresh += 1
        if firstFresh == fresh.count {
            fresh.removeAll(keepingCapacity: true)
            firstFresh = 0
        } else if firstFresh > 1024, firstFresh * 2 > fresh.count {
            fresh.removeFirst(firstFresh)
            firstFresh = 0
        }
        return first
    }
}
