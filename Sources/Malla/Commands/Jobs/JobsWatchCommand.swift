// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import HTTPTransfer
import Plumbing
import Workflow

/// Follows a job until it ends.
struct JobsWatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follow a job's states, progress and partial output until it ends; exit 1 when it fails.",
        discussion: "With --json one event a line, as it comes."
    )

    @Argument(help: "The job's id.")
    var id: String

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        let client = try makeServiceClient(options)
        var line = ""
        var lastID: String?
        var failures = 0
        while true {
            do {
                let events = try await client.events("/api/v1/jobs/\(pathPart(id))/events", after: lastID)
                for try await event in events {
                    failures = 0
                    lastID = event.id ?? lastID
                    if try show(event, &line) { return }
                }
            } catch let code as ExitCode {
                throw code
            } catch {
                // The stream broke; it goes on where it stopped.
                failures += 1
                guard failures < 30 else {
                    Terminal.complain("the Service API can't be reached any more: \(error)")
                    throw ExitCode.unreachable
                }
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// Shows an event; tells whether the job has ended.
    private func show(_ event: ServerSentEvent, _ line: inout String) throws -> Bool {
        let json = (try? JSON(parsing: event.data)) ?? .string(String(decoding: event.data, as: UTF8.self))
        let status = event.name == "state" ? json["status"]?.string ?? "" : ""
        let isOver = ["completed", "failed", "cancelled"].contains(status)
        if options.json {
            let object: JSON = ["event": .string(event.name), "data": json]
            Terminal.say(String(decoding: object.bytes, as: UTF8.self))
        } else {
            switch event.name {
            case "state" where isOver:
                Terminal.endProgress(line)
                Terminal.say("\(id)  \(status)" + (json["error"]?["message"]?.string.map { ": \($0)" } ?? ""))
                if let result = json["result"], result != .null { Terminal.print(result) }
            case "state":
                let attempt = json["attempt"]?.int ?? 0
                Terminal.progress("\(id)  \(status)" + (attempt > 1 ? " (attempt \(attempt))" : ""), last: &line)
            case "progress": Terminal.progress("\(id)  \(Self.words(json))", last: &line)
            case "partial", "log":
                Terminal.endProgress(line)
                line = ""
                Terminal.say(Self.words(json))
            default: break
            }
        }
        guard isOver else { return false }
        if status != "completed" { throw ExitCode.failure }
        return true
    }

    private static func words(_ json: JSON) -> String { json.string ?? String(decoding: json.bytes, as: UTF8.self) }
}
