// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// "Send me some jobs of these services yourself": what a worker with free slots tells an app's App APIs, beside the
/// completions that it sends into their queue.
///
/// For ``duration`` after its arrival an App API may then store new jobs as claimed by the worker, and send them as an
/// ``Assignment`` instead of having tickets made.
public struct SlotOffer: Sendable, Hashable {
    /// The worker's id.
    public var worker: String
    /// How many jobs of a service it could begin at once, by service; a service that is not named is not offered.
    public var slots: [String: Int]
    /// How many jobs it has been sent by each App API that it heard of lately (``Assignment/total``), by ``Assignment/sender``.
    public var seen: [String: Int]

    /// When it was sent, by the ledger's clock.
    public var sentAt: Timestamp

    /// How long an offer holds, unless a later one of the same worker comes.
    public static let duration: Duration = .seconds(1)

    /// Makes an offer.
    public init(worker: String, slots: [String: Int], seen: [String: Int] = [:], sentAt: Timestamp) {
        self.worker = worker
        self.slots = slots
        self.seen = seen
        self.sentAt = sentAt
    }

    /// Whether it is as young as it has to be by the ledger's clock: it may have lain in the queue while no App API was
    /// there to read it.
    public func isFresh(_ now: Timestamp) -> Bool {
        now < sentAt + Self.duration && sentAt < now + Self.duration
    }

    /// What tells it from the completions in the same queue, at a glance.
    private static let beginning = Array(#"{"offer":"#.utf8)

    /// The body: a head like a ``Completion``'s, and no result.
    public var body: [UInt8] {
        MessageForm.body([
            "offer": .string(worker), "at": .moment(sentAt), "slots": Self.json(slots), "seen": Self.json(seen),
        ])
    }

    /// Reads a body; nil when it is something else, numbers that can't be are left out.
    public init?(body: [UInt8]) {
        guard body.starts(with: Self.beginning), let head = try? MessageForm.split(body).head,
            let worker = head["offer"]?.string, let sentAt = head["at"]?.moment
        else { return nil }
        let (slots, seen) = (Self.numbers(head["slots"]), Self.numbers(head["seen"]))
        self.init(worker: worker, slots: slots, seen: seen, sentAt: sentAt)
    }

    private static func json(_ numbers: [String: Int]) -> JSON {
        var object = JSONObject()
        for (name, number) in numbers.sorted(by: { $0.key < $1.key }) { object[name] = .number(JSONNumber(number)) }
        return .object(object)
    }

    private static func numbers(_ json: JSON?) -> [String: Int] {
        var numbers: [String: Int] = [:]
        for (name, value) in json?.object?.members ?? [] {
            if let number = value.int, number >= 0 { numbers[name] = number }
        }
        return numbers
    }
}
