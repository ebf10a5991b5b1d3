// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import Workflow

/// Shows one job with its input and result.
struct JobsShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one job with its input and result."
    )

    @Argument(help: "The job's id.")
    var id: String

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        let job = try await makeServiceClient(options).ask("GET", "/api/v1/jobs/\(pathPart(id))")
        guard !options.json else { return Terminal.print(job) }
        // What there is, in the contract's order; what is null says nothing to a person.
        let lines = (job.object?.members ?? []).filter { name, value in
            value != .null && !["input", "result", "error"].contains(name)
        }
        let width = lines.map(\.name.count).max() ?? 0
        for (name, value) in lines {
            let text = value.string ?? String(decoding: value.bytes, as: UTF8.self)
            Terminal.say(name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + text)
        }
        for name in ["error", "input", "result"] {
            guard let value = job[name], value != .null else { continue }
            Terminal.say("\(name):")
            Terminal.print(value)
        }
    }
}
