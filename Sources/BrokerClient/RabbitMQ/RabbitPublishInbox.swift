// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Plumbing

/// What callers left for the publishing connection; guarded by its mutex.
struct RabbitPublishInbox {
    var calls: [(call: UInt64, messages: [Message], deadline: ContinuousClock.Instant, answer: OneShot<Void>)] = []
    var posts: [Message] = []
    var lastCall: UInt64 = 0
    /// Messages that wait or are unconfirmed, here and in the ledger.
    var occupied = 0
    var isStarted = false
    var isClosed = false
    /// Whether posts would have to wait: they are dropped instead.
    var isAway = false
}
