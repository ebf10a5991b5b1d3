// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Workflow

/// Reads the samples of a metrics page: what vLLM and exporters of GPUs answer with.
///
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
enum PrometheusText {
    /// The most samples that are shown of one page.
    static let limit = 500

    /// The samples by their names with labels; buckets of histograms are left out.
    static func json(of text: String) -> JSON {
        var samples = JSONObject()
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard samples.count < limit, let (name, value) = sample(line), !name.contains("_bucket") else { continue }
            samples[name] = .number(JSONNumber(value))
        }
        return .object(samples)
    }

    private static func sample(_ line: Substring) -> (name: String, value: Double)? {
        // Labels may hold blanks, so the name ends at the closing brace, when there is one.
        let end = line.lastIndex(of: "}").map { line.index(after: $0) } ?? line.firstIndex(of: " ") ?? line.endIndex
        guard let value = line[end...].split(separator: " ").first.flatMap({ Double($0) }), value.isFinite else {
            return nil
        }
        return (String(line[..<end]), value)
    }
}
