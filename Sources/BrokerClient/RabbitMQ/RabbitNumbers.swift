// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import CoreMetrics

/// The numbers of one connection, for Prometheus.
struct RabbitNumbers: Sendable {
    /// 1 while connected.
    let connected: Gauge
    /// Connections made after the first.
    let reconnects: Counter
    /// Messages sent, again included.
    let published = Counter(label: "malla_broker_published_total")
    /// Messages that the broker confirmed.
    let confirmed = Counter(label: "malla_broker_confirmed_total")
    /// Messages that no queue took.
    let returned = Counter(label: "malla_broker_returned_total")
    /// Posted messages that were not sent; whoever posted them may have published them then.
    let dropped = Counter(label: "malla_broker_dropped_total")

    init(role: String) {
        connected = Gauge(label: "malla_broker_connected", dimensions: [("role", role)])
        reconnects = Counter(label: "malla_broker_reconnects_total", dimensions: [("role", role)])
        connected.record(0)
    }
}
