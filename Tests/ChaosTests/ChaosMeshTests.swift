// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import MallaChaos

@Suite(.timeLimit(.minutes(2)), .enabled(if: InstalledServers.all, "RabbitMQ, PostgreSQL and Redis are not installed"))
struct ChaosMeshTests {
    /// A mesh with the app `echo` of one stage.
    private static func mesh(in folder: String) async throws -> ChaosMesh {
        try TestFiles.write(
            ["services/say/service.yaml": service, "services/say/handler.py": handler, "apps/echo/app.yaml": app],
            below: folder + "/definitions"
        )
        return try await ChaosMesh.start(
            folder: folder,
            binary: TestPrograms.malla,
            definitions: folder + "/definitions",
            receiverPort: 9,
            python: TestPrograms.python
        )
    }

    @Test func aMeshIsBrokenHealedAndLeavesNothing() async throws {
        let folder = "/tmp/malla-chaos-test-\(MeshID())"
        let mesh = try await Self.mesh(in: folder)
        var pids: [Int32] = []
        do {
            try await Self.play(mesh)
            pids = mesh.ownProcesses().map(\.pid) + Server.allCases.compactMap { mesh.servers.pid(of: $0) }
        } catch {
            try await mesh.stop()
            for role in Role.allCases {
                print("--- \(role.rawValue)\n\((TextFile.read("\(folder)/\(role.rawValue).log") ?? "").suffix(2000))")
            }
            throw error
        }
        #expect(pids.count > 11)
        try await mesh.stop()
        #expect(mesh.ownProcesses().isEmpty)
        let living = Set(ProcessTable.read().living.map(\.pid))
        for pid in pids { #expect(!living.contains(pid), "\(ProcessTable.command(of: pid)) is left") }
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func anAPIThatHangsEndsInTimeNevertheless() async throws {
        let folder = "/tmp/malla-chaos-test-\(MeshID())"
        let mesh = try await Self.mesh(in: folder)
        do {
            for role in [Role.appAPI1, .serviceAPI1] {
                try await mesh.set(.halfOpen, on: Link(from: role, to: .server(.postgres)))
            }
            // Each throws when it has not ended after 30 s, or with another status than 0.
            async let app: Void = mesh.terminate(.appAPI1)
            async let service: Void = mesh.terminate(.serviceAPI1)
            _ = try await (app, service)
        } catch {
            try await mesh.stop()
            throw error
        }
        try await mesh.stop()
        try FileManager.default.removeItem(atPath: folder)
    }

    private static func play(_ mesh: ChaosMesh) async throws {
        for role in Role.allCases { #expect(await mesh.isReady(role), "\(role)") }
        #expect(try await end(of: submit(to: mesh)) == succeeded)

        // Everything at once: a role and a server each killed, frozen and cut off, the broker's data lost.
        try await mesh.kill(Role.worker1)
        #expect(await !mesh.isReady(.worker1))
        try mesh.freeze(Role.worker2)
        try await mesh.kill(Role.appAPI2)
        try mesh.freeze(Server.redis)
        try await mesh.set(.cut, on: Link(from: .worker3, to: .server(.postgres)))
        try await mesh.setDisk(isFull: true)
        try await mesh.kill(Server.s3)
        try await mesh.wipe()
        _ = try mesh.killHandlers(of: .worker3)
        #expect(mesh.servers.pid(of: .s3) == nil)
        try await mesh.heal()
        for role in Role.allCases { #expect(await mesh.isReady(role), "\(role)") }
        try await mesh.flush()
        #expect(try await end(of: submit(to: mesh)) == succeeded)

        let rows = try await mesh.sql("SELECT state FROM tasks")
        #expect(rows.map { $0["state"]?.int } == [succeeded, succeeded])
        #expect(try await !mesh.queueDepths().isEmpty)
        #expect(mesh.crashes.isEmpty)
        let left = try await mesh.leftovers()
        #expect(left == Leftovers(), "\(left)")
    }

    // MARK: A client

    private struct Submitted {
        let mesh: ChaosMesh
        let task: String
    }

    private static func submit(to mesh: ChaosMesh) async throws -> Submitted {
        let answer = try await ask(mesh, "POST", "/echo/call", ["method": "say", "payload": ["word": "hello"]])
        return Submitted(mesh: mesh, task: try #require(answer["response"]?["taskId"]?.string, "\(answer.text)"))
    }

    /// How the ledger writes that a task has succeeded.
    private static let succeeded = 2

    /// The state that a task ended in, as the ledger writes it; -1 when it has not.
    private static func end(of submitted: Submitted) async throws -> Int {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            let rows = try await submitted.mesh.sql(
                "SELECT state FROM tasks WHERE id = '\(submitted.task)' AND finished_at IS NOT NULL"
            )
            if let state = rows.first?["state"]?.int { return state }
            try await Task.sleep(for: .milliseconds(100))
        }
        return -1
    }

    private static func ask(_ mesh: ChaosMesh, _ method: String, _ path: String, _ body: JSON) async throws -> JSON {
        let request = TransferRequest(
            method,
            mesh.appURLs[0] + path,
            headers: [
                ("content-type", "application/json"), ("x-marketplace-token", mesh.marketplaceToken),
                ("x-user-id", "chaos-user"),
            ],
            body: .bytes(Array(body.text.utf8))
        )
        return try JSON(parsing: try await mesh.transfer.send(request).body)
    }

    // MARK: Definitions

    private static let service = """
        service: say
        engine: process
        command: [python3, handler.py]
        concurrency: 1
        processes: 1
        gpus: none
        startup_timeout: 30s
        timeout: 30s
        max_attempts: 3
        backlog: 1000
        input: { type: object }
        output: { type: object }

        """

    private static let handler = """
        import malla

        if __name__ == "__main__":
            malla.serve(lambda job: {"said": job["input"]["word"]})

        """

    private static let app = """
        app: echo
        prefix: EC
        deadline: 2m
        methods:
          say:
            description: One stage.
            input: { type: object }
            stages:
              first:
                service: say
                input: { word: { $ref: "request#/word" } }
            output:
              type: META_DATA
              data: { first: { $ref: "first#" } }

        """
}
