// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Plumbing
import Workflow

@testable import ServiceWorker

/// What the suites of the desk share.
protocol TicketDeskSuite {}

extension TicketDeskSuite {
    /// A desk that holds tickets for a second and tries again after 100 ms, 200 ms and so on.
    func desk(slots: Int) -> TicketDesk {
        TicketDesk(
            slots: slots,
            hold: .seconds(1),
            retry: Backoff(base: .milliseconds(100), cap: .seconds(5), jitter: 0)
        )
    }

    /// The tags of tickets with these numbers.
    func tags(_ range: Range<UInt64>) -> [DeliveryTag] { range.map { DeliveryTag(generation: 1, number: $0) } }

    /// The leases of the first claim.
    func leases(_ actions: [TicketDesk.Action]) -> [LeaseID]? {
        for action in actions { if case .claim(let leases) = action { return leases } }
        return nil
    }
}

extension TicketDesk {
    /// Tickets for one job each came.
    mutating func received(_ tags: [DeliveryTag], at now: Instant) {
        received(tags.map { ($0, 1) }, at: now)
    }
}
