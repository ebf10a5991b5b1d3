// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A persistent message for one queue.
public struct Message: Sendable, Hashable {
    /// The queue it goes to.
    public var queue: String
    /// The body.
    public var body: [UInt8]
    /// The W3C `traceparent` to carry in the message's headers.
    public var trace: String?

    /// Makes a message.
    public init(queue: String, body: [UInt8], trace: String? = nil) {
        self.queue = queue
        self.body = body
        self.trace = trace
    }
}

/// A message that was delivered and waits to be settled.
public struct Delivery: Sendable {
    /// What it is settled by.
    public var tag: DeliveryTag
    /// The body.
    public var body: [UInt8]
    /// The W3C `traceparent` of the message's headers.
    public var trace: String?
    /// Whether it was delivered before.
    public var isRedelivered: Bool

    /// Makes a delivery.
    public init(tag: DeliveryTag, body: [UInt8], trace: String?, isRedelivered: Bool) {
        self.tag = tag
        self.body = body
        self.trace = trace
        self.isRedelivered = isRedelivered
    }
}

/// Names a delivery: its number on one connection, and which connection that was.
public struct DeliveryTag: Sendable, Hashable {
    /// Counts the connections of this consumer.
    public var generation: UInt64
    /// The delivery's number on its channel.
    public var number: UInt64

    /// Makes a tag.
    public init(generation: UInt64, number: UInt64) {
        self.generation = generation
        self.number = number
    }
}

/// How a delivery is settled.
public enum DeliverySettlement: Sendable, Hashable {
    /// Done with: the broker forgets it.
    case acknowledged
    /// Given back: the broker delivers it again, to anyone.
    case requeued
}
