// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Metrics
internal import Plumbing
internal import Workflow

/// The numbers of one service at one worker.
struct WorkerMetrics: Sendable {
    private let queueTime: Metrics.Timer
    private let runTime: Metrics.Timer
    private let slots: Gauge
    private let running: Gauge
    private let surplus: Counter
    private let outcomes: [String: Counter]

    /// How a run ended, as the metric's `outcome`.
    static let outcomes = ["succeeded", "failed", "died", "timeout", "stopped", "handed_back"]

    init(service: String, slots count: Int) {
        let labels = [("service", service)]
        queueTime = Metrics.Timer(label: "malla_job_queue_seconds", dimensions: labels)
        runTime = Metrics.Timer(label: "malla_job_run_seconds", dimensions: labels)
        slots = Gauge(label: "malla_worker_slots", dimensions: labels)
        running = Gauge(label: "malla_worker_running", dimensions: labels)
        surplus = Counter(label: "malla_ticket_surplus_total", dimensions: labels)
        outcomes = Dictionary(
            uniqueKeysWithValues: Self.outcomes.map {
                ($0, Counter(label: "malla_jobs_total", dimensions: labels + [("outcome", $0)]))
            }
        )
        slots.record(count)
        running.record(0)
    }

    /// A job was claimed.
    func claimed(_ job: Job) {
        guard let startedAt = job.startedAt else { return }
        queueTime.recordNanoseconds(max(0, (startedAt - job.createdAt).wholeMicroseconds * 1000))
    }

    /// A run ended.
    func ended(_ outcome: String, after duration: Duration) {
        runTime.recordNanoseconds(duration.wholeMicroseconds * 1000)
        outcomes[outcome]?.increment()
    }

    /// So many jobs run now.
    func runs(_ count: Int) { running.record(count) }

    /// Tickets found no job.
    func surplus(_ count: Int) {
        if count > 0 { surplus.increment(by: count) }
    }
}
