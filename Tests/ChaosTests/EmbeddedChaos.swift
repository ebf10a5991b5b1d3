// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import MallaTestKit
import Plumbing
import Testing

@testable import MallaChaos

/// `malla dev` with the app `chaos`: every role in one process, no server.
struct EmbeddedChaos: Sendable {
    let base: String
    /// Where nobody listens.
    let absent: String
    let token: String
    private let log: String
    private let process: Process
    private let end: OneShot<Void>

    /// Writes the definitions, starts the mesh and waits until it is ready.
    static func start(_ folder: String, callback: Int, secret: String) async throws -> EmbeddedChaos {
        try ChaosDefinitions.write(to: folder)
        let (port, second) = (try await freePort(), try await freePort())
        var environment = ProcessInfo.processInfo.environment.filter {
            ["PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH"].contains($0.key)
        }
        environment.merge([
            "APPS_DIR": folder + "/apps", "SERVICES_DIR": folder + "/services", "MARKETPLACE_TOKEN": "chaos-test",
            "MARKETPLACE_CALLBACK": "http://127.0.0.1:\(callback)/callback", "CALLBACK_SECRET": secret,
            "HTTP_PORT": "\(second)", "TMPDIR": try temporary(folder),
        ]) { $1 }
        let log = folder + "/dev.log"
        try Data().write(to: URL(filePath: log))
        let process = Process()
        process.executableURL = URL(filePath: TestPrograms.malla)
        process.arguments = ["dev", "--port", "\(port)", "--data", folder + "/data"]
        process.environment = environment
        let output = try FileHandle(forWritingTo: URL(filePath: log))
        process.standardOutput = output
        process.standardError = output
        let end = OneShot<Void>()
        process.terminationHandler = { _ in end.finish(.success(())) }
        try process.run()
        let dev = EmbeddedChaos(
            base: "http://127.0.0.1:\(port)",
            absent: "http://127.0.0.1:\(try await freePort())",
            token: "chaos-test",
            log: log,
            process: process,
            end: end
        )
        let transfer = CurlTransfer()
        let limit = ContinuousClock.now + .seconds(30)
        while (try? await transfer.send(TransferRequest("GET", dev.base + "/readyz")).head.status) != 200 {
            guard ContinuousClock.now < limit, process.isRunning else {
                await dev.stop()
                throw MissingMesh(description: "malla dev is not ready: \(dev.said)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        return dev
    }

    /// Where its handlers work: named as the harness names a worker's folder.
    private static func temporary(_ folder: String) throws -> String {
        let path = folder + "/tmp/worker-1"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    struct MissingMesh: Error, CustomStringConvertible {
        let description: String
    }

    /// The last of what it wrote.
    var said: String { String(((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").suffix(3000)) }

    /// Asks it to end and waits until it has.
    func stop() async {
        process.terminate()
        _ = try? await end.value()
    }

    private static func freePort() async throws -> Int {
        let receiver = try await Receiver.start(secrets: [])
        let port = receiver.port
        await receiver.stop()
        return port
    }
}
