// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing

@testable import MallaChaos

/// The command line as scripts and operators meet it: exit codes, and errors that say what would be right.
@Suite(.timeLimit(.minutes(3)))
struct CommandTests {
    /// What a command said and how it ended.
    private struct Ended {
        let code: CInt
        let text: String
        var lines: Int { text.split(separator: "\n").count }
    }

    private func malla(_ words: String..., environment: [String: String] = [:]) async throws -> Ended {
        let log = FileManager.default.temporaryDirectory.appending(path: "malla-command-\(MeshID())").path()
        defer { try? FileManager.default.removeItem(atPath: log) }
        let status = try await ChildProcess.finish(
            [TestPrograms.malla] + words,
            environment: MeshServers.environment.merging(environment) { $1 },
            log: log
        )
        try #require(status & 0x7F == 0, "malla \(words) was ended by signal \(status & 0x7F)")
        return Ended(code: (status >> 8) & 0xFF, text: try String(contentsOfFile: log, encoding: .utf8))
    }

    @Test(arguments: ["app-api", "service-api", "worker", "migrate", "check", "dev"])
    func everyWrongVariableIsNamedBeforeAnythingStarts(_ role: String) async throws {
        let ended = try await malla(
            role,
            environment: [
                "RETENTION_DAYS": "99999999999999999", "APP_API_PORT": "http", "RABBITMQ_QUEUE_TYPE": "fast",
                "S3_ENDPOINT": "nowhere", "DATABASE_URL": "mysql://malla:geheim@db/malla",
                "CALLBACK_SECRET": "geheim", "MALLA_PYTHON": "/nowhere/python3",
            ].merging(needed) { $1 }
        )
        #expect(ended.code == 78, "\(ended.text)")
        for name in [
            "RETENTION_DAYS", "APP_API_PORT", "RABBITMQ_QUEUE_TYPE", "S3_ENDPOINT", "DATABASE_URL", "CALLBACK_SECRET",
            "MALLA_PYTHON",
        ] where name != "MALLA_PYTHON" || ["worker", "dev", "check"].contains(role) {
            #expect(ended.text.contains(name), "\(name) is not named:\n\(ended.text)")
        }
        // `check` goes on to the definitions.
        let lines = ["worker", "dev"].contains(role) ? 7 : 6
        #expect(ended.lines == lines || role == "check", "\(ended.text)")
        #expect(!ended.text.contains("geheim"), "\(ended.text)")
    }

    @Test func allThatARoleNeedsIsNamedAtOnce() async throws {
        let nothing = ["MARKETPLACE_TOKEN": "", "MESH_TOKEN": "", "AWS_ACCESS_KEY": "", "AWS_SECRET_KEY": ""]
        for (role, names) in [
            ("app-api", ["MARKETPLACE_TOKEN", "MESH_TOKEN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY"]),
            ("service-api", ["MESH_TOKEN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY"]),
            ("worker", ["AWS_ACCESS_KEY", "AWS_SECRET_KEY"]),
        ] {
            let ended = try await malla(role, environment: nothing)
            #expect(ended.code == 78 && ended.lines == names.count, "\(ended.text)")
            for name in names { #expect(ended.text.contains("\(name) is not set"), "\(ended.text)") }
            let checked = try await malla("check", environment: nothing)
            #expect(checked.code == 0, "\(checked.text)")
            #expect(
                checked.text.contains("malla \(role): would not start without \(names.joined(separator: ", "))\n"),
                "\(checked.text)"
            )
        }
    }

    @Test func aWrongCommandLineEndsWith64() async throws {
        #expect(try await malla("frobnicate").code == 64)
        #expect(try await malla("dev", "--port", "many").code == 64)
        let payload = try await malla("call", "bench/bench-3", "--payload", "{\"n\":", environment: tokens)
        #expect(payload.code == 64 && payload.text.contains("JSON"), "\(payload.text)")
        let url = try await malla("result", "\(MeshID())", "--url", "localhost", environment: tokens)
        #expect(url.code == 64 && url.text.contains("http"), "\(url.text)")
    }

    @Test func aServerThatIsAwayEndsWith69() async throws {
        let port = DistributedMesh.freePort()
        let ended = try await malla(
            "stats",
            "--url",
            "http://127.0.0.1:\(port)",
            environment: ["MARKETPLACE_TOKEN": "t"]
        )
        #expect(ended.code == 69 && ended.text.contains("127.0.0.1:\(port)"), "\(ended.text)")
    }

    @Test func theShippedDefinitionsAreRight() async throws {
        let ended = try await malla("check", environment: definitions(MeshServers.root))
        #expect(ended.code == 0, "\(ended.text)")
        #expect(ended.text.contains("app face-recognition: ok"), "\(ended.text)")
    }

    @Test func aWrongDefinitionIsNamedByFileAndLine() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-definitions-\(MeshID())").path()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try HoldingService.write(to: folder)
        let file = folder + "/apps/holding/app.yaml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let broken = text.replacing("before: { $ref: \"first#\" }", with: "before: { $ref: \"frist#\" }")
        try broken.write(toFile: file, atomically: true, encoding: .utf8)
        let line =
            try #require(
                broken.split(separator: "\n", omittingEmptySubsequences: false).firstIndex {
                    $0.contains("frist#")
                }
            ) + 1
        for role in ["check", "app-api", "dev"] {
            let ended = try await malla(role, "--help", environment: definitions(folder))
            #expect(ended.code == 0)
            let refused = try await malla(role, environment: definitions(folder).merging(needed) { $1 })
            #expect(refused.code == 78, "\(role): \(refused.text)")
            #expect(refused.text.contains("app.yaml:\(line)") && refused.text.contains("frist"), "\(refused.text)")
        }
    }

    @Test func checkSaysWhatAServicesCommandLacks() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-definitions-\(MeshID())").path()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try HoldingService.write(to: folder)
        let file = folder + "/services/hold/service.yaml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let command = try #require(text.split(separator: "\n").first { $0.contains("command:") })
        for (words, said) in [
            ("[python3, nofile.py]", "no file 'nofile.py'"), ("[noprogram]", "no program 'noprogram'"),
        ] {
            let indent = command.prefix { $0 == " " }
            try text.replacing(command, with: "\(indent)command: \(words)")
                .write(toFile: file, atomically: true, encoding: .utf8)
            let ended = try await malla("check", environment: definitions(folder))
            #expect(ended.code == 0 && ended.text.contains("service hold: there is \(said)"), "\(ended.text)")
        }
    }

    @Test func aTakenPortIsSaidInOneLine() async throws {
        let receiver = CallbackReceiver()
        defer { receiver.stop() }
        let data = FileManager.default.temporaryDirectory.appending(path: "malla-data-\(MeshID())").path()
        defer { try? FileManager.default.removeItem(atPath: data) }
        let ended = try await malla("dev", "--port", "\(receiver.port)", "--data", data)
        #expect(ended.code == 78, "\(ended.text)")
        #expect(ended.lines == 1 && ended.text.contains("\(receiver.port)"), "\(ended.text)")
    }

    private let tokens = ["MARKETPLACE_TOKEN": "t", "MESH_TOKEN": "m"]
    private var needed: [String: String] { tokens.merging(["AWS_ACCESS_KEY": "a", "AWS_SECRET_KEY": "s"]) { $1 } }

    private func definitions(_ folder: String) -> [String: String] {
        ["APPS_DIR": folder + "/apps", "SERVICES_DIR": folder + "/services"]
    }
}
