// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Plumbing
import Workflow

/// Shows a task: waits for its end with progress, and prints the result.
struct ResultWatch {
    let client: MeshClient
    let app: String?
    let json: Bool

    /// Polls until the task has ended, then prints its result.
    ///
    /// - Throws: `ExitCode.failure` when it ended without one.
    func wait(for task: String) async throws {
        var line = ""
        while true {
            let answer = try await fetch(task)
            let code = answer["errorCode"]?["status"]?.string ?? ""
            guard code.hasSuffix("_001") || code.hasSuffix("_002") else {
                Terminal.endProgress(line)
                return try show(answer, task)
            }
            if !json { Terminal.progress("\(task)  " + Self.stages(of: answer), last: &line) }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Prints a task as it stands.
    func show(_ task: String) async throws {
        try show(try await fetch(task), task)
    }

    private func fetch(_ task: String) async throws -> JSON {
        let path = (app.map { "/\($0)" } ?? "") + "/result/\(task)"
        let (status, answer) = try await client.send("GET", path)
        guard status != 404 else {
            Terminal.complain(answer["errorCode"]?["reason"]?.string ?? "there is no task \(task)")
            throw ExitCode.failure
        }
        return answer
    }

    private func show(_ answer: JSON, _ task: String) throws {
        let code = answer["errorCode"]?["status"]?.string ?? ""
        let reason = answer["errorCode"]?["reason"]?.string ?? ""
        let isGood = ["_000", "_001", "_002"].contains { code.hasSuffix($0) }
        if json {
            Terminal.print(answer)
        } else {
            let took = answer["processDuration"]?.double.flatMap { $0 >= 0 ? " in \($0) s" : nil } ?? ""
            print("\(task)  \(code) \(reason)\(took)")
            let stages = Self.stages(of: answer)
            if !stages.isEmpty { print(stages) }
            if let data = answer["response"]?["data"] { Terminal.print(data) }
        }
        if !isGood { throw ExitCode.failure }
    }

    /// The stages in a line: `detect 120 ms  embed 1/3`.
    private static func stages(of answer: JSON) -> String {
        let stages = answer["response"]?["progress"]?["stages"]?.array ?? []
        return stages.map { stage in
            let name = stage["name"]?.string ?? "?"
            if let milliseconds = stage["duration_ms"]?.int { return "\(name) \(milliseconds) ms" }
            guard let items = stage["items"]?.int, items > 0 else { return "\(name) \(stage["state"]?.string ?? "")" }
            return "\(name) \(stage["done"]?.int ?? 0)/\(items)"
        }.joined(separator: "  ")
    }
}
