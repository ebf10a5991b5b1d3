// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import Metrics

/// What a process logs and counts with; made once, before anything else.
struct Telemetry: Sendable {
    let logger: Logger
    let registry: PrometheusRegistry

    /// Sets logging and metrics up for a role.
    ///
    /// - Parameter role: the logger's label: `malla.app-api`.
    static func start(role: String, configuration: MeshConfiguration, format: LineLogHandler.Format) throws -> Telemetry
    {
        let levelName = configuration.text("LOG_LEVEL", default: "info")
        guard let level = Logger.Level(rawValue: levelName) else {
            let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigurationError("LOG_LEVEL", levelName, "one of \(known)")
        }
        var chosen = format
        if let name = configuration.text("LOG_FORMAT") {
            guard let known = LineLogHandler.Format(rawValue: name) else {
                throw ConfigurationError("LOG_FORMAT", name, "json or text")
            }
            chosen = known
        }
        let lineFormat = chosen
        let mask = SecretMask(configuration: configuration)
        LoggingSystem.bootstrap { LineLogHandler(label: $0, format: lineFormat, logLevel: level, mask: mask) }
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        return Telemetry(logger: Logger(label: "malla.\(role)"), registry: registry)
    }

    /// The text of `/metrics`.
    var metricsText: @Sendable () -> String {
        let registry = registry
        return { registry.text }
    }
}
