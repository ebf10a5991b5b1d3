// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

extension ChaosMesh {
    /// Asks PostgreSQL itself, no proxy between.
    ///
    /// - Parameter query: a `SELECT` without a semicolon.
    /// - Returns: an object for each row, as `row_to_json` makes it.
    func sql(_ query: String) async throws -> [JSON] {
        let output = try await ChildProcess.run(
            [
                "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c",
                "SELECT row_to_json(t) FROM (\(query)) t", try servers.value("POSTGRES_URL"),
            ],
            environment: PlainEnvironment.variables,
            folder: folder
        )
        return try output.split(separator: "\n").map { try JSON(parsing: Array($0.utf8)) }
    }

    /// The messages of each queue of RabbitMQ, ready and held by consumers.
    func queueDepths() async throws -> [String: Int] { try await servers.queueDepths() }

    /// How many keys Redis holds.
    func keys() async throws -> Int {
        let answer = try await ChildProcess.run(
            ["redis-cli", "-u", try servers.value("REDIS_URL"), "dbsize"],
            environment: PlainEnvironment.variables,
            folder: folder
        )
        return answer.split(separator: "\n").first.flatMap { Int($0) } ?? 0
    }

    /// What is left behind; what goes away by itself within `limit` is none.
    ///
    /// The mesh must be healed and have nothing to do.
    func leftovers(settling limit: Duration = .seconds(15)) async throws -> Leftovers {
        let deadline = ContinuousClock.now + limit
        while true {
            let found = try await leftoversNow()
            guard found != Leftovers(), ContinuousClock.now < deadline else { return found }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// How many files each running role has open.
    func descriptors() -> [Role: Int] {
        roles.compactMapValues { $0.pid.flatMap(ProcessTable.descriptors) }
    }

    /// All processes that were started for this mesh's roles, by the mark in their environment.
    func ownProcesses() -> [ProcessTable.Entry] {
        ProcessTable.read().living.filter { entry in
            let environment = ProcessTable.environment(of: entry.pid)
            return environment["MALLA_CHAOS"] == folder || environment["TMPDIR"]?.hasPrefix(folder + "/tmp/") == true
        }
    }

    private func leftoversNow() async throws -> Leftovers {
        let held = try await links.connections()
        let processes = ownProcesses()
        var left = Leftovers()
        left.crashes = crashes
        left.messages = try await queueDepths().filter { $0.value > 0 }
        left.orphans = orphans(among: processes)
        left.connections = MeshBounds.excess(of: held, over: atRest) + (try await strayBackends(held))
        left.descriptors = MeshBounds.excess(of: descriptors(), over: atRest)
        left.files = staleFiles(processes)
        left.objects = unfinishedObjects(below: folder + "/s3")
        return left
    }

    private func orphans(among processes: [ProcessTable.Entry]) -> [String] {
        let table = ProcessTable.read()
        let parents = Set(roles.values.compactMap(\.pid))
        return processes.filter { !table.descends($0.pid, from: parents) && ProcessTable.state(of: $0.pid) != nil }
            .map { "\($0.pid) \(ProcessTable.command(of: $0.pid))" }.sorted()
    }

    /// Sessions of PostgreSQL that no role's connection belongs to.
    private func strayBackends(_ held: [Link: Int]) async throws -> [String] {
        let rows = try await sql(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        let sessions = rows.first?["n"]?.int ?? 0
        let known = held.filter { $0.key.to == .server(.postgres) }.values.reduce(0, +)
        return sessions > known ? ["postgres has \(sessions) sessions, the roles \(known) connections"] : []
    }

    /// Files in the roles' temporary folders that belong to no running handler or worker.
    private func staleFiles(_ processes: [ProcessTable.Entry]) -> [String] {
        let used = Set(processes.compactMap { ProcessTable.environment(of: $0.pid)["MALLA_SCRATCH"] })
        let paths = Role.allCases.flatMap { role -> [String] in
            let base = "\(folder)/tmp/\(role.rawValue)"
            return TextFile.names(in: base).flatMap { name -> [String] in
                // A worker's own folder is locked while the worker lives; within it each handler has one.
                guard TextFile.isLocked("\(base)/\(name)/lock") else { return ["\(base)/\(name)"] }
                return TextFile.names(in: "\(base)/\(name)").filter { $0 != "lock" }.map { "\(base)/\(name)/\($0)" }
            }
        }
        return paths.filter { path in !used.contains { $0 == path || $0.hasPrefix(path + "/") } }.sorted()
    }

    /// Objects with a name that only an upload on its way has.
    private func unfinishedObjects(below base: String) -> [String] {
        TextFile.names(in: base).flatMap { name -> [String] in
            let path = "\(base)/\(name)"
            if name.hasSuffix(".partial") || name.contains(".rclone") { return [path] }
            return unfinishedObjects(below: path)
        }.sorted()
    }
}
