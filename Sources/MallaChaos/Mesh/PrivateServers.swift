// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// The mesh's own RabbitMQ, Redis, PostgreSQL and S3, as `scripts/servers.sh` starts them.
final class PrivateServers: Sendable {
    private let folder: String
    private let script: String
    private let environment: [String: String]
    private let values: [String: String]

    /// Starts all four and waits until they answer.
    ///
    /// - Parameters:
    ///   - folder: where all their data goes; PostgreSQL, which runs as a user of its own, must reach it.
    ///   - script: the path of `servers.sh`.
    ///   - environment: what the script is run with.
    init(folder: String, script: String, environment: [String: String]) async throws {
        self.folder = folder
        self.script = script
        self.environment = environment
        _ = try await ChildProcess.run([script, "start", folder], environment: environment, folder: folder)
        var values: [String: String] = [:]
        for line in (TextFile.read(folder + "/env") ?? "").split(separator: "\n") {
            guard line.hasPrefix("export MALLA_TEST_"), let equals = line.firstIndex(of: "=") else { continue }
            let value = line[line.index(after: equals)...].filter { $0 != "\"" }
            values[String(line[..<equals].dropFirst(18))] = value
        }
        self.values = values
    }

    /// A variable that the script wrote, by its name without `MALLA_TEST_`.
    func value(_ name: String) throws -> String {
        guard let value = values[name] else { throw MeshFailure("servers.sh wrote no MALLA_TEST_\(name)") }
        return value
    }

    /// The variable with a server's address.
    static func address(of server: Server) -> String {
        switch server {
        case .rabbit: "AMQP_URL"
        case .redis: "REDIS_URL"
        case .postgres: "POSTGRES_URL"
        case .s3: "S3_ENDPOINT"
        }
    }

    /// The port that a server listens on.
    func port(of server: Server) throws -> Int {
        let address = try value(Self.address(of: server))
        let authority = address.split(separator: "/")[1]
        guard let colon = authority.lastIndex(of: ":"), let port = Int(authority[authority.index(after: colon)...])
        else { throw MeshFailure("no port in \(address)") }
        return port
    }

    /// The process of a server; nil while it is down.
    func pid(of server: Server) -> pid_t? {
        let words = (TextFile.read("\(folder)/pids/\(server.rawValue)") ?? "").split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let pid = pid_t(words[0]), ProcessTable.started(pid) == String(words[1]),
            let state = ProcessTable.state(of: pid), state != "Z"
        else { return nil }
        return pid
    }

    /// Starts a server on its old port and data, and waits until it answers.
    func start(_ server: Server) async throws { try await run("up", server.rawValue) }

    /// Ends a server as its service manager does, and waits until it has.
    func terminate(_ server: Server) async throws {
        thaw(server)
        try await run("down", server.rawValue)
    }

    /// Ends a server and all its processes at once, as a crash of its machine does.
    func kill(_ server: Server) async throws {
        guard let pid = pid(of: server) else { throw MeshFailure("\(server.rawValue) is not running") }
        let victims = ProcessTable.read().tree(of: pid)
        for victim in victims { Kernel.send(SIGKILL, to: victim) }
        for _ in 0..<100 where self.pid(of: server) != nil { await pause(.milliseconds(20)) }
        guard self.pid(of: server) == nil else { throw MeshFailure("\(server.rawValue) outlived its SIGKILL") }
    }

    /// Stops all processes of a server where they are.
    func freeze(_ server: Server) throws {
        guard let pid = pid(of: server) else { throw MeshFailure("\(server.rawValue) is not running") }
        for victim in ProcessTable.read().tree(of: pid) { Kernel.send(SIGSTOP, to: victim) }
    }

    /// Lets a server go on; nothing where it is down.
    func thaw(_ server: Server) {
        guard let pid = pid(of: server) else { return }
        for victim in ProcessTable.read().tree(of: pid) { Kernel.send(SIGCONT, to: victim) }
    }

    /// Removes RabbitMQ's data, which must be down.
    func wipe() async throws { try await run("wipe", Server.rabbit.rawValue) }

    /// Removes all keys of Redis.
    func flush() async throws {
        let port = try port(of: .redis)
        let answer = try await ChildProcess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", "\(port)", "FLUSHALL"],
            environment: environment,
            folder: folder
        )
        guard answer.hasPrefix("OK") else { throw MeshFailure("Redis answers FLUSHALL with \(answer)") }
    }

    /// Makes every write of S3 fail from now on, or no longer: the kernel refuses its process a file of any length.
    func setDisk(isFull: Bool) async throws {
        guard let pid = pid(of: .s3) else {
            // A server that is started anew has the limits of its parent.
            guard isFull else { return }
            throw MeshFailure("s3 is not running")
        }
        _ = try await ChildProcess.run(
            ["prlimit", "--pid", "\(pid)", isFull ? "--fsize=0:unlimited" : "--fsize=unlimited"],
            environment: environment,
            folder: folder
        )
    }

    /// The messages of each queue of RabbitMQ, ready and held.
    func queueDepths() async throws -> [String: Int] {
        let text = try await run("queues")
        var depths: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            guard let space = line.lastIndex(of: " "), let count = Int(line[line.index(after: space)...]) else {
                throw MeshFailure("servers.sh queues wrote '\(line)'")
            }
            depths[String(line[..<space])] = count
        }
        return depths
    }

    /// Ends all of them.
    func stop() async throws {
        for server in Server.allCases { thaw(server) }
        try await run("stop")
    }

    @discardableResult
    private func run(_ command: String, _ words: String...) async throws -> String {
        try await ChildProcess.run([script, command, folder] + words, environment: environment, folder: folder)
    }
}
