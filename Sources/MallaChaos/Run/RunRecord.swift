// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What is kept of a run: a line of the campaign's record.
struct RunRecord: Sendable {
    let seed: UInt64
    /// How long it took, seconds.
    let took: Double
    /// How many tasks ended in each way.
    let verdicts: [String: Int]
    /// What happened how often: handler calls, repeated ones, lost workers, callbacks sent again, ….
    let counts: [String: Int]
    /// The faults that happened, by key.
    let faults: [String: Int]
    /// Seconds, by what was measured.
    let measured: [String: [Double]]
    /// What must not be, as text; a run that broke off says why.
    let contradictions: [String]
    /// How the run was made; nil in records of before it was kept.
    var settings: RunSettings?
    /// What `malla --version` said; nil in records of before it was kept.
    var version: String?

    /// Whether its faults were chosen by a part of their names, and did not come from all that there are.
    var isIsolated: Bool { settings.map { !$0.only.isEmpty } ?? false }

    /// The line.
    var json: JSON {
        [
            "seed": .string("\(seed)"), "settings": settings?.json ?? .null,
            "malla": version.map { .string($0) } ?? .null, "took": .number(JSONNumber(took)),
            "verdicts": Self.object(verdicts) { .number(JSONNumber($0)) },
            "counts": Self.object(counts) { .number(JSONNumber($0)) },
            "faults": Self.object(faults) { .number(JSONNumber($0)) },
            "measured": Self.object(measured) { .array($0.map { .number(JSONNumber(($0 * 1000).rounded() / 1000)) }) },
            "contradictions": .array(contradictions.map { .string($0) }),
        ]
    }

    private static func object<Value>(_ values: [String: Value], _ json: (Value) -> JSON) -> JSON {
        var object = JSONObject()
        for (name, value) in values.sorted(by: { $0.key < $1.key }) { object[name] = json(value) }
        return .object(object)
    }
}

extension RunRecord {
    /// What is kept of a run that broke off.
    static func brokenOff(seed: UInt64, took: Double, _ reason: String) -> RunRecord {
        RunRecord(
            seed: seed,
            took: took,
            verdicts: [:],
            counts: [:],
            faults: [:],
            measured: [:],
            contradictions: [reason]
        )
    }

    /// What is kept of a history.
    init(_ history: History, took: Double, contradictions: [String]) {
        let measured = Measurements(history)
        self.init(
            seed: history.seed,
            took: took,
            verdicts: Dictionary(uniqueKeysWithValues: measured.counts.ends.map { ($0.key.rawValue, $0.value) }),
            counts: measured.counts.byName.merging(
                ["handler calls": history.marks.count { $0.kind == .began }],
                uniquingKeysWith: +
            ),
            faults: history.faults.reduce(into: [:]) { $0[$1.fault.key.description, default: 0] += 1 },
            measured: measured.byName,
            contradictions: contradictions
        )
    }

    /// Reads a line; nil when it is none.
    init?(_ json: JSON) {
        guard let seed = json["seed"]?.string.flatMap({ UInt64($0) }), let took = json["took"]?.double,
            let contradictions = json["contradictions"]?.array
        else { return nil }
        self.init(
            seed: seed,
            took: took,
            verdicts: Self.values(json["verdicts"]) { $0.int },
            counts: Self.values(json["counts"]) { $0.int },
            faults: Self.values(json["faults"]) { $0.int },
            measured: Self.values(json["measured"]) { $0.array?.compactMap(\.double) },
            contradictions: contradictions.compactMap(\.string),
            settings: RunSettings(json["settings"]),
            version: json["malla"]?.string
        )
    }

    private static func values<Value>(_ json: JSON?, _ read: (JSON) -> Value?) -> [String: Value] {
        var values: [String: Value] = [:]
        for name in json?.object?.names ?? [] { values[name] = json?[name].flatMap(read) }
        return values
    }
}
