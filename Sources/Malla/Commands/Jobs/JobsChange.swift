// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import Workflow

/// Changes named jobs one by one, or all that match filters.
struct JobsChange {
    let verb: String
    let done: String
    let ids: [String]
    let filters: JobFilters
    let options: ServiceOptions

    func run() async throws {
        guard ids.isEmpty != filters.members.isEmpty else {
            throw misused("name jobs by their ids, or by at least one filter such as --status failed, and not both")
        }
        let client = try makeServiceClient(options)
        if ids.isEmpty { try await changeMatching(client) } else { try await changeNamed(client) }
    }

    private func changeMatching(_ client: MeshClient) async throws {
        let answer = try await client.ask("POST", "/api/v1/jobs/\(verb)", body: filters.json)
        guard !options.json else { return Terminal.print(answer) }
        let (changed, matched) = (answer["changed"]?.int ?? 0, answer["matched"]?.int ?? 0)
        let rest = changed < matched ? "; `malla jobs \(verb) ID` says why one of the others was not" : ""
        Terminal.say("\(changed) of \(matched) jobs \(done)\(rest)")
    }

    private func changeNamed(_ client: MeshClient) async throws {
        var failed: ExitCode?
        for id in ids {
            let (status, answer) = try await client.send("POST", "/api/v1/jobs/\(pathPart(id))/\(verb)")
            if status == 200 {
                if options.json { Terminal.print(answer) } else { Terminal.say("\(id) \(done)") }
            } else {
                Terminal.complain("\(id): \(answer["detail"]?.string ?? "the Service API answered \(status)")")
                failed = .refused(status)
            }
        }
        if let failed { throw failed }
    }
}

/// Text as a part of a path.
func pathPart(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-_."))) ?? text
}
