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
        discussion: "Example: malla call face-recognition/identify --payload '{\"image\":\"s3://…\"}' --wait"
    )

    @Argument(help: "The app and its method: face-recognition/identify.")
    var target: String

    @Option(name: .long, help: "The payload: JSON, @FILE, or - for standard input.")
    var payload = "{}"

    @Option(name: .long, help: "Where the result is posted; else the operator's default.")
    var callback: String?

    @Option(name: .long, help: "The id of the request; the same id and payload give the same task.")
    var request: String?

    @Flag(name: .long, help: "Wait for the result, showing progress; exit 1 when the task fails.")
    var wait = false

    @OptionGroup var user: UserOptions
    @OptionGroup var options: PeopleOptions

    func run() async throws {
        let parts = target.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw ValidationError("'\(target)' is not APP/METHOD, such as face-recognition/identify")
        }
        let client = try makeAppClient(options, user)
        var body: JSON = ["method": .string(String(parts[1])), "payload": try readPayload()]
        if let callback { body = body.adding("callbackUrl", .string(callback)) }
        let path = "/\(parts[0])/call"
        let (status, answer) = try await client.send("POST", path, body: body)
        guard status == 200, let task = answer["response"]?["taskId"]?.string else {
            Terminal.complain("refused (\(status)): \(answer["errorCode"]?["reason"]?.string ?? "no reason given")")
            throw ExitCode.failure
        }
        guard wait else {
            if options.json { Terminal.print(answer) } else { print(task) }
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
                throw ValidationError("the file \(path) can't be read")
            }
            bytes = Array(data)
        } else {
            bytes = Array(payload.utf8)
        }
        do {
            return try JSON(parsing: bytes)
        } catch {
            throw ValidationError("the payload is not JSON: \(error.message) at byte \(error.offset)")
        }
    }
}

/// A client for the user that the options name.
func makeAppClient(_ options: PeopleOptions, _ user: UserOptions) throws -> MeshClient {
    do {
        return try MeshClient.appAPI(
            url: options.url,
            user: user.name,
            role: user.role,
            configuration: MeshConfiguration()
        )
    } catch let error as ConfigurationError {
        Terminal.complain(error.description)
        throw ExitCode.misconfigured
    }
}
