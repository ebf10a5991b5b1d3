// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import MallaChaos

/// A `malla dev` without services, to be attacked.
enum HostileMesh {
    /// Runs the body with the port of its Service API.
    static func with(
        _ settings: [String: String] = [:],
        _ body: (_ port: Int) async throws -> Void
    ) async throws {
        try await with(settings) { port, _ in try await body(port) }
    }

    /// Runs the body with the ports of its Service API and its App API.
    static func with(
        _ settings: [String: String] = [:],
        _ body: (_ port: Int, _ appPort: Int) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-hostile-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try HoldingService.write(to: folder)
        let (port, appPort) = (DistributedMesh.freePort(), DistributedMesh.freePort())
        let environment = MeshServers.environment.merging([
            "APPS_DIR": folder + "/apps", "SERVICES_DIR": folder + "/services", "MARKETPLACE_TOKEN": "mt",
            "AI_SERVICE_TOKEN": "st", "HTTP_PORT": "\(port)", "MALLA_PYTHON": TestPrograms.python,
        ]) { $1 }.merging(settings) { $1 }
        let words = [TestPrograms.malla, "dev", "--port", "\(appPort)", "--data", folder + "/data"]
        let mesh = try ChildProcess(words, environment: environment, log: folder + "/log")
        do {
            let isUp: Bool? = try await until(.seconds(30)) { (try? RawClient(port: port)) == nil ? nil : true }
            let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
            try #require(isUp == true, "malla dev does not listen after 30 s: \(log.suffix(2000))")
            try await body(port, appPort)
        } catch {
            await mesh.stop()
            throw error
        }
        await mesh.stop()
    }
}
