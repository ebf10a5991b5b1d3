// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// What the server sent, apart from answers to calls.
enum AMQPEvent {
    /// A message for a consumer.
    case delivered(channel: UInt16, AMQPContent)
    /// A mandatory message that no queue took; `number` is the one it was published with.
    case returned(number: UInt64, reason: String)
    /// Confirms of published messages.
    case confirmed(number: UInt64, multiple: Bool, isAccepted: Bool)
    /// The server ended the channel's consumer, for its queue is gone.
    case consumerCancelled(channel: UInt16)
    /// The server reads no publishes for the time being: it lacks memory or disk space.
    case blocked(reason: String)
    /// It reads again.
    case unblocked
    /// The server closed the channel, which has been answered.
    case channelClosed(channel: UInt16, code: Int, reason: String)
}

/// A message as it is put together from its frames.
struct AMQPContent {
    /// Why it was sent.
    enum Purpose {
        case delivery(tag: UInt64, isRedelivered: Bool)
        case returned(reason: String)
    }

    var purpose: Purpose
    var body: [UInt8] = []
    var trace: String?
    /// The number in its message id.
    var number: UInt64 = 0
    /// How many bytes of the body are still to come; nil before its header has arrived.
    var missing: Int?
}

/// Why a call of the library failed.
struct AMQPFailure: Error {
    enum Kind {
        /// The connection is of no more use.
        case broken
        /// The server refused the login or the virtual host.
        case refused
        /// The server closed the channel with this code; the connection goes on.
        case channelClosed(code: Int)
    }

    var kind: Kind
    var reason: String

    /// Whether the queue that a call was about does not exist.
    var isMissing: Bool {
        if case .channelClosed(404) = kind { return true }
        return false
    }

    /// Whether the connection is of no more use.
    var isFatal: Bool {
        if case .channelClosed = kind { return false }
        return true
    }
}
