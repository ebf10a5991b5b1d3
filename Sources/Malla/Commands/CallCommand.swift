// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ArgumentParser
import Foundation
import Plumbing
import Workflow

/// Sends a request to an app's method.
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Send a request to an app's method.",
        discussion: """
            Prints the task's id, or with --wait the result. The token is MARKETPLACE_TOKEN, else that of `malla dev` \
            in the data folder MALLA_DATA (.malla).

            Example: malla call bench/fan-out --payload '{"n": 5}' --wait
            """
    )

    @Argument(help: ArgumentHelp("The app and its method: face-recognition/identify.", valueName: "app/method"))
    var target: String

    @Option(
        name: .long,
        help: ArgumentHelp("The payload: JSON, @FILE, or - for standard input.", valueName: "json")
    )
    var payload = "{}"

    @Option(
        name: .long,
        help: ArgumentHelp("Where the result is posted; else the App API's MARKETPLACE_CALLBACK.", valueName: "url")
    )
    var callback: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The id of the request; the same id and payload give the same task.", valueName: "id")
    )
    var request: String?

    @Flag(name: .long, help: "Wait for the result, showing progress; exit 1 when the task fails.")
    var wait = false

    @OptionGroup var user: UserOptions
    @OptionGroup var options: AppOptions

    func run() async throws {
        let parts = target.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw misused("'\(target)' is not APP/METHOD, such as face-recognition/identify")
        }
        let client = try makeAppClient(options, user)
        var body: JSON = ["method": .string(String(parts[1])), "payload": try readPayload()]
        if let callback { body = body.adding("callbackUrl", .string(callback)) }
        let path = "/\(parts[0])/call"
        let (status, answer) = try await client.send("POST", path, body: body)
        guard status == 200, let task = answer["response"]?["taskId"]?.string else {
            Terminal.complain("refused (\(status)): \(answer["errorCode"]?["reason"]?.string ?? "no reason given")")
            throw ExitCode.refused(status)
        }
        guard wait else {
            if options.json { Terminal.print(answer) } else { Terminal.say(task) }
            return
        }
        try await ResultWatch(client: client, app: String(parts[0]), json: options.json).wait(for: task)
    }

    private func readPayload() throws -> JSON {
        let bytes: [UInt8]
        if payload == "-" {
            bytes = Array(FileHandle.standardInput.readDataToEndOfFile())
        } else if payload.hasPrefix("@") {
            let path = String(payload.dropFirst())
            guard let data = FileManager.default.contents(atPath: path) else {
                throw misused("the file \(path) can't be read")
            }
            bytes = Array(data)
        } else {
            bytes = Array(payload.utf8)
        }
        do {
            return try JSON(parsing: bytes)
        } catch {
            throw misused("the payload is not JSON: \(error.message) at byte \(error.offset)")
        }
    }
}

/// A client for the user that the options name.
func makeAppClient(_ options: AppOptions, _ user: UserOptions) throws -> MeshClient {
    do {
        try checkURL(options.url, variables: ["MALLA_URL"])
        return try MeshClient.appAPI(
            url: options.url,
            user: user.name,
            role: user.role.rawValue,
            configuration: MeshConfiguration()
        )
    } catch let error as ConfigurationError {
        Terminal.complain(error.description)
        throw ExitCode.misconfigured
    }
}

/// Refuses a URL that is none before anything is sent to it.
func checkURL(_ given: String?, variables: [String]) throws {
    if let given, let wanted = Setting(name: "--url", kind: .webURL).fault(given) {
        throw misused("--url='\(given)' can't be used: give \(wanted)")
    }
    guard given == nil else { return }
    let configuration = MeshConfiguration()
    for name in variables {
        guard let value = configuration.text(name), let wanted = Setting(name: name, kind: .webURL).fault(value) else {
            continue
        }
        throw ConfigurationError(name, value, wanted)
    }
}

/// Says what is wrong with the command line; throw what it gives.
func misused(_ message: String) -> ExitCode {
    Terminal.complain(message)
    return .validationFailure
}

extension ExitCode {
    /// How a command ends whose request was refused: as unreachable when a server behind the API is away.
    static func refused(_ status: Int) -> ExitCode { status == 503 ? .unreachable : .failure }
}
