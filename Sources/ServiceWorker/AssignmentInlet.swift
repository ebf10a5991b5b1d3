// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Ledger
internal import Logging
internal import Plumbing
internal import Workflow

/// Consumes the worker's own queue: the jobs that App APIs assign to it, each passed on to the line of its service.
actor AssignmentInlet {
    private static let prefetch = 64

    private let floor: WorkerFloor
    private let lines: [String: ServiceLine]
    private var subscription: (any Subscription)?
    private var reading: Task<Void, Never>?

    init(floor: WorkerFloor, lines: [ServiceLine]) {
        self.floor = floor
        self.lines = Dictionary(lines.map { ($0.service.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Begins to consume, and to offer slots; tries until it works or the task is cancelled.
    func open() async {
        let queue = QueueName.assignments(worker: floor.id)
        let (stream, continuation) = AsyncStream<[Delivery]>.makeStream()
        reading = Task { [weak self] in
            for await deliveries in stream { await self?.received(deliveries) }
        }
        let opened = await floor.consume(
            queue,
            isTransient: true,
            prefetch: Self.prefetch,
            of: "assigned jobs"
        ) { continuation.yield($0) }
        guard let opened else { return }
        subscription = opened
        floor.offers.withLock { $0.open() }
    }

    /// Ends the consumer; the queue goes with it.
    func close() async {
        floor.offers.withLock { $0.close() }
        await subscription?.cancel()
        reading?.cancel()
    }

    private func received(_ deliveries: [Delivery]) async {
        let now = ContinuousClock.now
        var jobs: [String: [AssignedJobs.Entry]] = [:]
        for delivery in deliveries {
            do throws(EnvelopeError) {
                let assignment = try Assignment(body: delivery.body)
                floor.offers.withLock { $0.heard(from: assignment.sender, total: assignment.total, at: now) }
                for item in assignment.items { take(item, at: now, into: &jobs) }
            } catch {
                floor.log.warning(
                    "an assignment that can't be read was dropped",
                    metadata: [LogKey.error: "\(error)", LogKey.count: "\(delivery.body.count)"]
                )
            }
        }
        for (service, entries) in jobs { await lines[service]?.take(entries) }
        // What is lost from here on is found by the beats, like what never came.
        subscription?.settle(deliveries.map(\.tag), .acknowledged)
    }

    private func take(
        _ item: Assignment.Item,
        at now: ContinuousClock.Instant,
        into jobs: inout [String: [AssignedJobs.Entry]]
    ) {
        // A message whose acknowledgement was lost comes again, and much later maybe.
        guard let lease = item.job.lease, item.job.worker == floor.id, !floor.knows(lease),
            floor.arrivals.admit(lease, at: now)
        else { return }
        guard lines[item.job.service] != nil else {
            Task { await floor.handBackAssigned(LeaseProbe(job: item.job.id, lease: lease)) }
            return
        }
        // By the ledger's clock on both sides: the machines' own may differ.
        let age = item.job.startedAt.map { max(.zero, floor.clock.now - $0) } ?? .zero
        let record = JobRecord(job: item.job, input: item.input)
        jobs[item.job.service, default: []].append(.init(record: record, claimedAt: now - age, since: now))
    }
}
