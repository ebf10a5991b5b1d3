// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient

/// The unsettled deliveries of one channel, and how to settle what the consumers are done with in few frames.
///
/// Pure: tags grow by one per channel. What is acknowledged without a gap from the lowest unsettled tag goes out as
/// one frame with `multiple`; the rest one by one.
struct SettlementWindow {
    /// A frame to send.
    enum Frame: Equatable {
        case acknowledge(UInt64, multiple: Bool)
        case requeue(UInt64)
    }

    private enum State { case unsettled, acknowledged, requeued, sent }

    private var states: [State] = []
    private var first = 0
    /// The tag of `states[first]`.
    private var base: UInt64 = 1
    private var isDirty = false

    /// Notes a delivery.
    mutating func deliver(_ tag: UInt64) {
        if first == states.count { base = tag }
        // A gap can't be (tags grow by one), but must not shift the others' places.
        while base + UInt64(states.count - first) < tag { states.append(.sent) }
        states.append(.unsettled)
    }

    /// Notes that a delivery is settled; a tag that isn't unsettled is passed over.
    mutating func settle(_ tag: UInt64, _ settlement: DeliverySettlement) {
        guard tag >= base, tag - base < UInt64(states.count - first) else { return }
        let index = first + Int(tag - base)
        guard states[index] == .unsettled else { return }
        states[index] = settlement == .acknowledged ? .acknowledged : .requeued
        isDirty = true
    }

    /// Takes the frames that say what was settled since the last time.
    mutating func flush() -> [Frame] {
        guard isDirty else { return [] }
        isDirty = false
        var frames: [Frame] = []
        // Before any frame with `multiple`, which would acknowledge these as well.
        for index in first..<states.count where states[index] == .requeued {
            frames.append(.requeue(base + UInt64(index - first)))
            states[index] = .sent
        }
        var prefix: UInt64?
        var prefixCount = 0
        while first < states.count, states[first] != .unsettled {
            if states[first] == .acknowledged {
                prefix = base
                prefixCount += 1
            }
            first += 1
            base += 1
        }
        if let prefix { frames.append(.acknowledge(prefix, multiple: prefixCount > 1)) }
        for index in first..<states.count where states[index] == .acknowledged {
            frames.append(.acknowledge(base + UInt64(index - first), multiple: false))
            states[index] = .sent
        }
        if first == states.count || (first > 256 && first * 2 > states.count) {
            states.removeFirst(first)
            first = 0
        }
        return frames
    }
}
