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
            guard let answer = try await fetch(task) else {
                // The task goes on while the App API, or its ledger, is away for a moment.
                try await Task.sleep(for: .seconds(1))
                continue
            }
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
        guard let answer = try await fetch(task) else {
            Terminal.complain("the App API can't answer now; try again")
            throw ExitCode.unreachable
        }
        try show(answer, task)
    }

    /// The task as it stands; nil when the App API can't tell now.
    private func fetch(_ task: String) async throws -> JSON? {
        let path = (app.map { "/\($0)" } ?? "") + "/result/\(task)"
        let (status, answer) = try await client.send("GET", path)
        switch status {
        case 200: return answer
        case 429, 503: return nil
        default:
            Terminal.complain(answer["errorCode"]?["reason"]?.string ?? "the App API answered \(status)")
            throw ExitCode.failure
        }
    }

    private func show(_ answer: JSON, _ task: String) throws {
        let code = answer["errorCode"]?["status"]?.string ?? ""
        let reason = answer["errorCode"]?["reason"]?.string ?? ""
        let isGood = ["_000", "_001", "_002"].contains { code.hasSuffix($0) }
        if json {
            Terminal.print(answer)
        } else {
            let took = answer["processDuration"]?.double.flatMap { $0 >= 0 ? " in \($0) s" : nil } ?? ""
            Terminal.say("\(task)  \(code) \(reason)\(took)")
            let stages = Self.stages(of: answer)
            if !stages.isEmpty { Terminal.say(stages) }
            if let data = answer["response"]?["data"] { Terminal.print(data) }
        }
        if !isGood { throw ExitCode.failure }
    }

    /// The stages in a line: `detect 120 ms  embed 1/3`.
    private static func stages(of answer: JSON) -> String {
        let stages = answer["response"]?["progress"]?["stages"]?.array ?? []
        return stages.map { stage in
            let name = stage["name"]?.string ?? "?"
            let state = stage["state"]?.string ?? ""
            if state == "running" {
                let items = stage["items"]?.int ?? 1
                // A time that runs would be a new line for every look where lines can't be drawn over.
                guard items > 1 || !Terminal.isInteractive else { return time(of: stage, name) ?? "\(name) \(state)" }
                return items > 1 ? "\(name) \(stage["done"]?.int ?? 0)/\(items)" : "\(name) \(state)"
            }
            return time(of: stage, name) ?? "\(name) \(state)"
        }.joined(separator: "  ")
    }

    private static func time(of stage: JSON, _ name: String) -> String? {
        stage["duration_ms"]?.int.map { "\(name) \($0) ms" }
    }
}
