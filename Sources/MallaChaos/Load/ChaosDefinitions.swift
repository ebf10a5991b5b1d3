// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The app `chaos` and its services.
///
/// Every stage does what the payload says: `do` holds an action for each stage, `items` those of a fan-out. Limits are
/// so wide that no fault reaches them, but for the deadline of the method `deadline`. The service `brittle` has the jobs
/// that kill their process and, of the method `branch`, some that do not: they must not suffer, and a process that has
/// served one is started again without a growing pause.
enum ChaosDefinitions {
    /// The deadline of the method `deadline`, in seconds.
    static let shortDeadline = 2.0
    /// How many items of the method `quorum` must succeed.
    static let quorum = 3

    /// Writes `apps/chaos/app.yaml` and `services/*/{service.yaml,handler.py}` below a folder.
    ///
    /// - Throws: what Foundation throws when a file can't be written.
    static func write(to folder: String) throws {
        try put(app, folder + "/apps/chaos/app.yaml")
        for (name, concurrency) in [("work", 8), ("long", 4), ("brittle", 1)] {
            try put(service(name, concurrency), "\(folder)/services/\(name)/service.yaml")
            try put(ChaosHandler.python, "\(folder)/services/\(name)/handler.py")
        }
    }

    private static func put(_ text: String, _ path: String) throws {
        let file = URL(filePath: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file)
    }

    private static func service(_ name: String, _ concurrency: Int) -> String {
        """
        service: \(name)
        engine: process
        command: [python3, handler.py]
        concurrency: \(concurrency)
        processes: 1
        startup_timeout: 60s
        timeout: 100s
        max_attempts: 3
        input: { type: object, required: [key, journal, stage, do] }
        output: { type: object, required: [nonce, attempt, job, stage] }

        """
    }

    /// What every stage is told.
    private static let call = "key: { $ref: \"request#/key\" }, journal: { $ref: \"request#/journal\" }"
    private static let payload = "{ type: object, required: [key, journal] }"
    private static let quick = "{ max_attempts: 3, backoff: { base: 200ms, cap: 1s } }"
    /// Media may be out of reach for a while: what needs them is tried until no fault lasts that long.
    private static let patient = "{ max_attempts: 40, backoff: { base: 200ms, cap: 2s } }"

    private static let app = #"""
        app: chaos
        prefix: CH
        deadline: 2m
        methods:
          chain:
            input: \#(payload)
            stages:
              \#(stage("first"))
              \#(stage("second", from: "{ $ref: \"first#\" }"))
              \#(stage("third", from: "{ $ref: \"second#\" }"))
            output:
              type: META_DATA
              data: { first: { $ref: "first#" }, second: { $ref: "second#" }, third: { $ref: "third#" } }
          fan:
            input: \#(payload)
            stages:
              \#(items())
              \#(stage("last", from: "{ $ref: \"items#\" }"))
            output: { type: META_DATA, data: { items: { $ref: "items#" }, last: { $ref: "last#" } } }
          quorum:
            input: \#(payload)
            stages:
              \#(items(more: "join: { at_least: \(quorum) }"))
              \#(stage("last", from: "{ $ref: \"items#\" }"))
            output:
              type: META_DATA
              data: { items: { $ref: "items#" }, last: { $ref: "last#" }, failed: { $ref: "items!errors#" } }
          branch:
            input: \#(payload)
            stages:
              \#(stage("left", more: "when: { $ref: \"request#/branch\", equals: left }"))
              \#(stage("right", more: "when: { $ref: \"request#/branch\", equals: right }"))
              \#(stage("last", on: "brittle", from: "[{ $ref: \"left#\" }, { $ref: \"right#\" }]"))
            output:
              type: META_DATA
              data: { left: { $ref: "left#" }, right: { $ref: "right#" }, last: { $ref: "last#" } }
          retry: \#(pair(on: "work"))
          long: \#(pair(on: "long"))
          poison: \#(pair(on: "brittle"))
          big:
            input: \#(payload)
            stages:
              \#(stage("first", patient))
              \#(stage("last", from: "{ $ref: \"first#\" }", patient))
            output:
              type: META_DATA
              data: { first: { nonce: { $ref: "first#/nonce" } }, last: { $ref: "last#" } }
          deadline:
            deadline: \#(Int(shortDeadline))s
            input: \#(payload)
            stages:
              first:
                service: long
                input: { \#(call), stage: first, do: { $ref: "request#/do/first" } }
            output: { type: META_DATA, data: { first: { $ref: "first#" } } }
          media:
            input:
              type: object
              required: [key, journal, original, hash]
              properties: { original: { type: string, format: media }, hash: { type: string } }
            stages:
              \#(stage("first", does: media("request#/original", "request#/hash"), patient))
              \#(stage("last", does: media("first#/derived", "first#/derivedHash"), from: "{ $ref: \"first#\" }", patient))
            output:
              type: HYBRID
              data:
                - { dataType: META_DATA, data: { first: { $ref: "first#" }, last: { $ref: "last#" } } }
                - { dataType: S3_OBJECT, data: { $ref: "last#/derived" } }

        """#

    /// A stage that does what the payload says for its name, or what is given.
    private static func stage(
        _ name: String,
        on service: String = "work",
        more: String? = nil,
        does: String? = nil,
        from: String? = nil,
        _ retry: String = quick
    ) -> String {
        let does = does ?? "{ $ref: \"request#/do/\(name)\" }"
        let input = "\(call), stage: \(name), do: \(does)" + (from.map { ", from: \($0)" } ?? "")
        return lines(name, ["service: \(service)", more, "input: { \(input) }", "retry: \(retry)"])
    }

    /// The stage of a fan-out, with a call for each item.
    private static func items(more: String? = nil) -> String {
        let input = "{ \(call), stage: items, item: { $ref: \"index#\" }, do: { $ref: \"item#\" } }"
        return lines(
            "items",
            ["service: work", "foreach: { $ref: \"request#/items\" }", "input: \(input)", more, "retry: \(quick)"]
        )
    }

    private static func lines(_ name: String, _ body: [String?]) -> String {
        ([name + ":"] + body.compactMap(\.self).map { "  " + $0 })
            .joined(separator: "\n" + String(repeating: " ", count: 6))
    }

    private static func media(_ link: String, _ hash: String) -> String {
        "{ kind: media, media: { $ref: \"\(link)\" }, hash: { $ref: \"\(hash)\" } }"
    }

    /// Two stages, of which the first runs on a service of its own.
    private static func pair(on service: String) -> String {
        #"""

            input: \#(payload)
            stages:
              \#(stage("first", on: service))
              \#(stage("last", from: "{ $ref: \"first#\" }"))
            output: { type: META_DATA, data: { first: { $ref: "first#" }, last: { $ref: "last#" } } }
        """#
    }
}
