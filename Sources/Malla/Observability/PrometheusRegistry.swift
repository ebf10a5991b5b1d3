// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import CoreMetrics
import Synchronization

/// Keeps swift-metrics' counters, gauges and timers and writes them in Prometheus' text format (version 0.0.4).
final class PrometheusRegistry: MetricsFactory {
    private let series = Mutex<[SeriesName: any PrometheusSeries]>([:])

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        find(label, dimensions) { CounterSeries() }
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate
            ? find(label, dimensions) { SummarySeries() } as any RecorderHandler
            : find(label, dimensions) { GaugeSeries() }
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        find(label, dimensions) { SummarySeries() }
    }

    // Series live as long as the process: a counter that goes away and comes back would restart at zero.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    /// The text of `/metrics`.
    var text: String {
        let all = series.withLock { $0 }
        var text = ""
        var described: Set<String> = []
        for (name, series) in all.sorted(by: { $0.key < $1.key }) {
            if described.insert(name.label).inserted { text += "# TYPE \(name.label) \(series.kind)\n" }
            text += series.lines(name)
        }
        return text
    }

    private func find<Series: PrometheusSeries>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ make: () -> Series
    ) -> Series {
        let name = SeriesName(label: label, dimensions: dimensions)
        return series.withLock { series in
            if let found = series[name] as? Series { return found }
            let made = make()
            series[name] = made
            return made
        }
    }
}

/// A metric's name and labels.
struct SeriesName: Hashable, Comparable {
    let label: String
    let labels: String

    init(label: String, dimensions: [(String, String)]) {
        self.label = String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "_" })
        labels = dimensions.sorted { $0.0 < $1.0 }.map { "\($0.0)=\"\(Self.escape($0.1))\"" }.joined(separator: ",")
    }

    static func < (left: SeriesName, right: SeriesName) -> Bool {
        (left.label, left.labels) < (right.label, right.labels)
    }

    func line(_ suffix: String = "", extra: String = "", value: String) -> String {
        let all = [labels, extra].filter { !$0.isEmpty }.joined(separator: ",")
        return "\(label)\(suffix)\(all.isEmpty ? "" : "{\(all)}") \(value)\n"
    }

    private static func escape(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}

/// A metric that can write itself.
protocol PrometheusSeries: AnyObject, Sendable {
    var kind: String { get }
    func lines(_ name: SeriesName) -> String
}
