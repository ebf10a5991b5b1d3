// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import MallaChaos

/// `malla dev`: every role in one process, no server.
@Suite(.timeLimit(.minutes(3)))
struct EmbeddedMeshTests {
    @Test func aKillInTheMiddleOfAStageIsSurvived() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-dev-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try HoldingService.write(to: folder)
        let receiver = CallbackReceiver()
        defer { receiver.stop() }
        let port = DistributedMesh.freePort()
        let client = MallaCall(base: "http://127.0.0.1:\(port)", token: "dev-test-token")
        let environment = environment(folder, client).merging([
            "MARKETPLACE_CALLBACK": "http://127.0.0.1:\(receiver.port)/callback"
        ]) { $1 }
        let words = [TestPrograms.malla, "dev", "--port", "\(port)", "--data", folder + "/data"]
        let marks = folder + "/marks"

        let first = try ChildProcess(words, environment: environment, log: folder + "/first.log")
        try await ready(client, folder + "/first.log")
        let task = try await client.call("holding", "pair", HoldingService.payload(1, marks: marks))
        try await HoldingService.mark("begin first", in: marks)
        // A second one on the same folder is refused while the first one holds it.
        let rival = try await ChildProcess.finish(
            [TestPrograms.malla, "dev", "--port", "\(DistributedMesh.freePort())", "--data", folder + "/data"],
            environment: environment.merging(["HTTP_PORT": "\(DistributedMesh.freePort())"]) { $1 },
            log: folder + "/rival.log"
        )
        #expect((rival >> 8) & 0xFF == 78)
        await first.kill()

        let second = try ChildProcess(words, environment: environment, log: folder + "/second.log")
        do {
            try await ready(client, folder + "/second.log")
            let answer = try await client.end("holding", task, within: .seconds(40))
            #expect(answer["errorCode"]?["status"]?.string == "ME_000", "\(answer.text)")
            #expect(answer["response"]?["data"]?["first"]?["attempt"]?.int == 2, "\(answer.text)")
            #expect(answer["response"]?["data"]?["second"]?["attempt"]?.int == 1, "\(answer.text)")
            let called: Bool? = try await until(.seconds(15)) { receiver.callbacks(of: task).isEmpty ? nil : true }
            #expect(called == true && Set(receiver.callbacks(of: task).map(\.id)).count == 1)
            #expect(try await client.stats("holding")["numRequestSuccess"]?.int == 1)
        } catch {
            await second.stop()
            throw error
        }
        await second.stop()
        let tokens = try FileManager.default.attributesOfItem(atPath: folder + "/data/tokens.env")
        #expect((tokens[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        let told = try String(contentsOfFile: folder + "/second.log", encoding: .utf8)
        #expect(!told.contains("CALLBACK_SECRET="), "tokens are shown once")
    }

    @Test func aSecondInterruptDoesNotWaitForWhatRuns() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-dev-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try HoldingService.write(to: folder)
        let port = DistributedMesh.freePort()
        let client = MallaCall(base: "http://127.0.0.1:\(port)", token: "dev-test-token")
        let mesh = try ChildProcess(
            [TestPrograms.malla, "dev", "--port", "\(port)", "--data", folder + "/data"],
            environment: environment(folder, client),
            log: folder + "/log"
        )
        do {
            try await ready(client, folder + "/log")
            _ = try await client.call("holding", "pair", HoldingService.payload(25, marks: folder + "/marks"))
            try await HoldingService.mark("begin first", in: folder + "/marks")
            mesh.signal(SIGINT)
            let told: Bool? = try await until(.seconds(10)) {
                try String(contentsOfFile: folder + "/log", encoding: .utf8).contains("the worker drains") ? true : nil
            }
            #expect(told == true)
            // SIGTERM, as often as it comes, and a SIGINT that was sent twice say no more than the first.
            mesh.signal(SIGTERM)
            #expect(await !mesh.ends(within: .seconds(1)))
            mesh.signal(SIGINT)
            #expect(await mesh.ends(within: .seconds(10)), "25 s of work were waited for")
            #expect(await (mesh.end >> 8) & 0xFF == 130)
        } catch {
            await mesh.kill()
            throw error
        }
        await mesh.kill()
    }

    @Test func aDamagedLedgerIsNamedWithWhatHelps() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-dev-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder + "/data", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try HoldingService.write(to: folder)
        let file = folder + "/data/ledger.sqlite"
        try Data(repeating: 0x2A, count: 8192).write(to: URL(fileURLWithPath: file))
        let client = MallaCall(base: "http://127.0.0.1:\(DistributedMesh.freePort())", token: "dev-test-token")
        let status = try await ChildProcess.finish(
            [TestPrograms.malla, "dev", "--port", "\(DistributedMesh.freePort())", "--data", folder + "/data"],
            environment: environment(folder, client),
            log: folder + "/log"
        )
        let said = try String(contentsOfFile: folder + "/log", encoding: .utf8)
        #expect((status >> 8) & 0xFF == 78, "\(said)")
        #expect(said.contains("\(file) can't be opened") && said.contains("-wal"), "\(said)")
    }

    private func environment(_ folder: String, _ client: MallaCall) -> [String: String] {
        MeshServers.environment.merging([
            "APPS_DIR": folder + "/apps", "SERVICES_DIR": folder + "/services", "MARKETPLACE_TOKEN": client.token,
            "HTTP_PORT": "\(DistributedMesh.freePort())", "MALLA_PYTHON": TestPrograms.python,
        ]) { $1 }
    }

    private func ready(_ client: MallaCall, _ log: String) async throws {
        let up: Bool? = try await until(.seconds(30)) {
            (try? await client.send("GET", "/readyz")) == nil ? nil : true
        }
        let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        try #require(up == true, "malla dev is not ready after 30 s: \(said.suffix(3000))")
    }
}
