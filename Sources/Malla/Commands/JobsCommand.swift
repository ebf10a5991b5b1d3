// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Workflow

/// Lists jobs.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "jobs", abstract: "List jobs, newest first.")

    @Option(name: .long, help: "Only this service's.")
    var service: String?

    @Option(name: .long, help: "Only those that are pending, running, completed, failed or cancelled.")
    var status: String?

    @Option(name: .long, help: "How many, 1 to 500.")
    var limit = 30

    @OptionGroup var options: PeopleOptions

    func run() async throws {
        let client = try makeServiceClient(options)
        var query = "?limit=\(limit)"
        if let service { query += "&service=\(service)" }
        if let status { query += "&status=\(status)" }
        let (code, answer) = try await client.send("GET", "/api/v1/jobs\(query)")
        guard code == 200 else {
            Terminal.complain(answer["detail"]?.string ?? "the Service API answered \(code)")
            throw ExitCode.failure
        }
        guard !options.json else { return Terminal.print(answer) }
        let rows = (answer["jobs"]?.array ?? []).map { job in
            [
                job["id"]?.string ?? "", job["service"]?.string ?? "", job["status"]?.string ?? "",
                job["attempt"]?.int.map { String($0) } ?? "", job["duration_ms"]?.int.map { "\($0) ms" } ?? "",
                job["error"]?["message"]?.string ?? "",
            ]
        }
        Terminal.table(["JOB", "SERVICE", "STATUS", "ATTEMPT", "TOOK", "ERROR"], rows)
    }
}

/// A client of the Service API.
func makeServiceClient(_ options: PeopleOptions) throws -> MeshClient {
    do {
        return try MeshClient.serviceAPI(url: options.url, configuration: MeshConfiguration())
    } catch let error as ConfigurationError {
        Terminal.complain(error.description)
        throw ExitCode.misconfigured
    }
}
