// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing

@testable import MallaChaos

/// The servers of the suite: its own, as its tests stop and start them, with a consumer timeout of 1 s on the broker.
struct MeshServers: Sendable {
    /// The servers of the present suite.
    @TaskLocal static var current: MeshServers?

    /// The root of the package.
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")
    /// What every program gets of this process's environment.
    static let environment = ProcessInfo.processInfo.environment.filter {
        ["PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "MALLA_RCLONE"].contains($0.key)
    }

    /// The folder of the servers and of everything the tests write.
    let folder: String
    private let values: [String: String]

    /// Starts the servers in a new folder.
    static func start() async throws -> MeshServers {
        // Below /tmp: PostgreSQL runs as a user of its own there and must reach it.
        let folder = "/tmp/malla-mesh-\(MeshID())"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o711]
        )
        try await script("start", folder)
        var values: [String: String] = [:]
        for line in try String(contentsOfFile: folder + "/env", encoding: .utf8).split(separator: "\n") {
            guard line.hasPrefix("export "), let equals = line.firstIndex(of: "=") else { continue }
            let value = line[line.index(after: equals)...].trimmingCharacters(in: ["\""])
            values[String(line[..<equals].dropFirst(7))] = value
        }
        return MeshServers(folder: folder, values: values)
    }

    /// Ends the servers and removes their folder.
    func stop() async throws {
        try await Self.script("stop", folder)
        try FileManager.default.removeItem(atPath: folder)
    }

    /// Stops servers (`rabbit`, `redis`, `postgres`, `s3`), keeping their state.
    func down(_ name: String) async throws { try await Self.script("down", folder, name) }

    /// Starts servers again and waits until they answer.
    func up(_ name: String) async throws { try await Self.script("up", folder, name) }

    /// A variable of the servers' `env` file.
    func value(_ name: String) throws -> String {
        try #require(values["MALLA_TEST_" + name], "servers.sh wrote no MALLA_TEST_\(name)")
    }

    /// Everything that the broker has logged.
    func brokerLog() throws -> String {
        let folder = folder + "/rabbit/log"
        return try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".log") }
            .map { String(decoding: try Data(contentsOf: URL(filePath: folder + "/" + $0)), as: UTF8.self) }.joined()
    }

    /// Makes an empty database and returns its URL.
    func makeDatabase() async throws -> String {
        let url = try value("POSTGRES_URL")
        let name = "mesh_" + "\(MeshID())".replacing("-", with: "_")
        let status = try await ChildProcess.finish(
            ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", "CREATE DATABASE \(name)", url],
            environment: Self.environment,
            log: folder + "/psql.log"
        )
        try #require(status == 0, "psql could not make the database \(name): see \(folder)/psql.log")
        return Self.url(url, to: name)
    }

    /// Makes a virtual host on the broker and returns its URL: no mesh gets what another has left behind.
    func makeVirtualHost() async throws -> String {
        let url = try value("AMQP_URL")
        let name = "mesh-\(MeshID())"
        try await Self.script("vhost", folder, name)
        return Self.url(url, to: name)
    }

    /// The same server with another last part of the path.
    private static func url(_ url: String, to name: String) -> String {
        url.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/" + name
    }

    private static func script(_ words: String...) async throws {
        var environment = environment
        environment["RABBIT_CONSUMER_TIMEOUT_MS"] = "1000"
        environment["RABBIT_CHANNEL_TICK_MS"] = "500"
        let log = words[1] + "/servers.log"
        let status = try await ChildProcess.finish(
            [root + "/scripts/servers.sh"] + words,
            environment: environment,
            log: log
        )
        guard status != 0 else { return }
        let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        try #require(status == 0, "servers.sh \(words): \(said.suffix(2000))")
    }
}

/// Starts the servers before the first test of a suite and ends them after the last.
struct MeshServersTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        let servers = try await MeshServers.start()
        let outcome: Result<Void, any Error>
        do {
            try await MeshServers.$current.withValue(servers) { try await function() }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        try await servers.stop()
        try outcome.get()
    }
}

extension Trait where Self == MeshServersTrait {
    /// Servers of the suite's own.
    static var meshServers: Self { Self() }
}
