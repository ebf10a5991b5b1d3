// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import CoreMetrics
import Synchronization

/// Keeps swift-metrics' counters, gauges and timers and writes them in Prometheus' text format (version 0.0.4).
final class PrometheusRegistry: MetricsFactory {
    private struct State {
        var series: [SeriesName: any PrometheusSeries] = [:]
        /// The same by the words they were asked for with: a counter is made anew for each event.
        var known: [[String]: any PrometheusSeries] = [:]
    }

    private let state = Mutex(State())

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
        let all = state.withLock { $0.series }
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
        var words = [label]
        words.reserveCapacity(1 + dimensions.count * 2)
        for (name, value) in dimensions {
            words.append(name)
            words.append(value)
        }
        return state.withLock { state in
            if let found = state.known[words] as? Series { return found }
            let name = SeriesName(label: label, dimensions: dimensions)
            let found = state.series[name] as? Series ?? make()
            state.series[name] = found
            state.known[words] = found
            return found
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
