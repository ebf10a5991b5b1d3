// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import CoreMetrics
import Synchronization

/// A counter that only grows.
final class CounterSeries: PrometheusSeries, CounterHandler {
    private let value = Atomic<Int64>(0)

    var kind: String { "counter" }

    func increment(by amount: Int64) { value.add(amount, ordering: .relaxed) }
    func reset() { value.store(0, ordering: .relaxed) }
    func lines(_ name: SeriesName) -> String { name.line(value: "\(value.load(ordering: .relaxed))") }
}

/// A value that goes up and down.
final class GaugeSeries: PrometheusSeries, RecorderHandler {
    private let value = Mutex(0.0)

    var kind: String { "gauge" }

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { self.value.withLock { $0 = value } }
    func lines(_ name: SeriesName) -> String { name.line(value: "\(value.withLock { $0 })") }
}

/// Durations in a histogram; the buckets fit what a mesh does, from 1 ms to 10 min.
final class SummarySeries: PrometheusSeries, TimerHandler, RecorderHandler {
    private struct Counts {
        var buckets = [Int64](repeating: 0, count: SummarySeries.bounds.count)
        var count: Int64 = 0
        var sum = 0.0
    }

    private static let bounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600,
    ]
    private let counts = Mutex(Counts())

    var kind: String { "histogram" }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        counts.withLock { counts in
            counts.count += 1
            counts.sum += value
            if let bucket = Self.bounds.firstIndex(where: { value <= $0 }) { counts.buckets[bucket] += 1 }
        }
    }

    func lines(_ name: SeriesName) -> String {
        let counts = counts.withLock { $0 }
        var text = ""
        var cumulated: Int64 = 0
        for (bound, count) in zip(Self.bounds, counts.buckets) {
            cumulated += count
            text += name.line("_bucket", extra: "le=\"\(bound)\"", value: "\(cumulated)")
        }
        text += name.line("_bucket", extra: "le=\"+Inf\"", value: "\(counts.count)")
        text += name.line("_sum", value: "\(counts.sum)")
        return text + name.line("_count", value: "\(counts.count)")
    }
}
