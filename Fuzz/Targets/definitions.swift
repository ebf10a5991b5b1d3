// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Workflow

/// The YAML of apps and services: what is wrong gives problems with lines, and what is right can be stored and run.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDefinitions(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        // A file that is not UTF-8 is refused before it is read.
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        do throws(DefinitionsError) {
            let service = try DefinitionLoader.service(yaml: text, folder: "/nowhere")
            Fuzz.require(!service.name.isEmpty, "a service has no name")
            _ = service.input?.validate(["text": "a", "a": [1, nil]])
            _ = service.takes.map { $0.expanded(in: ["HOME": "${HOME}"]) }
        } catch {
            check(error, text)
        }
        do throws(DefinitionsError) {
            let app = try DefinitionLoader.app(yaml: text, services: services)
            for definition in app.methods.values { run(definition) }
        } catch {
            check(error, text)
        }
        if let parts = EnvironmentText(text) { _ = parts.expanded(in: ["A": "a"]) }
    }
}

private let services = ["alpha", "beta"].map { name in
    let text = """
        service: \(name)
        engine: native
        handler: any
        input: {type: object, properties: {image: {type: string, format: media}, n: {type: integer}}}
        output: {type: object, properties: {faces: {type: array, items: {type: object}}, n: {type: integer}}}
        """
    guard let service = try? DefinitionLoader.service(yaml: text, folder: "/nowhere") else {
        fatalError("the target's own service is wrong")
    }
    return service
}

private func check(_ error: DefinitionsError, _ text: String) {
    Fuzz.require(!error.problems.isEmpty, "refused without a problem")
    let lines = text.utf8.split(omittingEmptySubsequences: false) { $0 == 10 || $0 == 13 }.count
    // YAML counts further characters as line ends, so that there are at most as many lines as bytes.
    for problem in error.problems where problem.line > max(lines, text.utf8.count) + 1 {
        fatalError("a problem in line \(problem.line) of \(lines): \(problem.message)")
    }
}

private func run(_ definition: WorkflowDefinition) {
    guard let again = try? WorkflowDefinition(stored: definition.stored) else {
        fatalError("a stored definition can't be read: \(String(decoding: definition.stored, as: UTF8.self))")
    }
    Fuzz.same(again.hash, definition.hash, "the hash after a round trip")
    Fuzz.same(again.stages.map(\.input), definition.stages.map(\.input), "the inputs after a round trip")
    Fuzz.same(again.stages.map(\.dependencies), definition.stages.map(\.dependencies), "the order after a round trip")
    let now = Timestamp(microseconds: 1_000_000)
    for payload in [#"{"image":"s3://a/b","n":3,"list":[1,{"a":null}]}"#, "{}"] {
        var outputs: [Int: StageOutput] = [:]
        let engine = RunEngine(definition: again)
        var (run, effects) = engine.start(payload: Array(payload.utf8), at: now)
        // Every job ends well, or badly where its item is odd, until nothing is left to do.
        for _ in 0..<64 where run.state == .running {
            var events: [RunEvent] = []
            for case .create(let stage, let seeds) in effects {
                for seed in seeds {
                    let failed = (seed.item ?? 0) % 2 == 1
                    outputs[stage, default: StageOutput(entries: [])].entries.append(
                        .init(
                            item: seed.item,
                            outcome: failed ? .failure(JobError(.handler, "odd")) : .success(seed.input)
                        )
                    )
                    events.append(
                        failed
                            ? .jobFailed(stage: stage, item: seed.item, JobError(.handler, "odd"))
                            : .jobSucceeded(stage: stage, item: seed.item)
                    )
                }
            }
            Fuzz.require(!events.isEmpty, "a run waits for nothing")
            guard
                case .done(let next, let done) = engine.advance(
                    run,
                    events,
                    payload: Array(payload.utf8),
                    outputs: outputs,
                    at: now
                )
            else { fatalError("a run wants outputs that it has") }
            (run, effects) = (next, done)
        }
        Fuzz.require(run.state != .running, "a run does not end")
    }
}
