// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Plumbing
import Workflow

/// Lists jobs.
struct JobsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List jobs, newest first.")

    @OptionGroup var filters: JobFilters

    @Option(name: .long, help: "How many, 1 to 500.")
    var limit = 30

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        guard (1...500).contains(limit) else { throw misused("--limit=\(limit) can't be used: give 1 to 500") }
        let client = try makeServiceClient(options)
        let answer = try await client.ask("GET", "/api/v1/jobs?limit=\(limit)\(filters.query)")
        guard !options.json else { return Terminal.print(answer) }
        let jobs = answer["jobs"]?.array ?? []
        guard !jobs.isEmpty else { return Terminal.say("no jobs match") }
        Terminal.table(["JOB", "SERVICE", "STATUS", "TRY", "AGE", "TOOK"], jobs.map(Self.row))
        if answer["next_cursor"]?.string != nil { Terminal.say("there are more: --limit, or a filter") }
    }

    private static func row(of job: JSON) -> Terminal.Row {
        let created = job["created_at"]?.string.flatMap { Timestamp(rfc3339: $0) }
        let owner = job["owner_ref"]?.string.map { ["\(job["owner_service"]?.string ?? ""): \($0)"] } ?? []
        return Terminal.Row(
            cells: [
                job["id"]?.string ?? "", job["service"]?.string ?? "", job["status"]?.string ?? "",
                "\(job["attempt"]?.int ?? 0)", created.map { Quantity.text(.now - $0) } ?? "",
                job["duration_ms"]?.int.map { Quantity.text(.milliseconds($0)) } ?? "",
            ],
            notes: owner + (job["error"]?["message"]?.string.map { [$0] } ?? [])
        )
    }
}
