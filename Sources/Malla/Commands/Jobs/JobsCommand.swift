// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import Plumbing
import Workflow

/// Lists jobs.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List jobs, newest first.",
        discussion: "The token is AI_SERVICE_TOKEN, else that of `malla dev` in the data folder MALLA_DATA (.malla)."
    )

    @Option(name: .long, help: "Only this service's.")
    var service: String?

    @Option(name: .long, help: "Only those in this state.")
    var status: Status?

    /// How a job stands, as the Service API calls it.
    enum Status: String, ExpressibleByArgument, CaseIterable {
        case pending
        case running
        case completed
        case failed
        case cancelled
    }

    @Option(name: .long, help: "How many, 1 to 500.")
    var limit = 30

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        guard (1...500).contains(limit) else { throw misused("--limit=\(limit) can't be used: give 1 to 500") }
        let client = try makeServiceClient(options)
        var query = "?limit=\(limit)"
        if let service {
            query += "&service=" + (service.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? service)
        }
        if let status { query += "&status=\(status.rawValue)" }
        let (code, answer) = try await client.send("GET", "/api/v1/jobs\(query)")
        guard code == 200 else {
            Terminal.complain(answer["detail"]?.string ?? "the Service API answered \(code)")
            throw ExitCode.refused(code)
        }
        guard !options.json else { return Terminal.print(answer) }
        let rows = (answer["jobs"]?.array ?? []).map { job in
            Terminal.Row(
                cells: [
                    job["id"]?.string ?? "", job["service"]?.string ?? "", job["status"]?.string ?? "",
                    job["attempt"]?.int.map { String($0) } ?? "",
                    job["duration_ms"]?.int.map { Quantity.text(.milliseconds($0)) } ?? "",
                ],
                notes: job["error"]?["message"]?.string.map { [$0] } ?? []
            )
        }
        Terminal.table(["JOB", "SERVICE", "STATUS", "TRY", "TOOK"], rows)
    }
}

/// A client of the Service API.
func makeServiceClient(_ options: ServiceOptions) throws -> MeshClient {
    do {
        try checkURL(options.url, variables: ["SERVICE_API_URL"])
        return try MeshClient.serviceAPI(url: options.url, configuration: MeshConfiguration())
    } catch let error as ConfigurationError {
        Terminal.complain(error.description)
        throw ExitCode.misconfigured
    }
}
