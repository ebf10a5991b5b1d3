// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What a soak shows of a minute: memory, files, rows and times.
struct SoakMinute: Sendable {
    let minute: Int
    /// MiB that each kind of role holds for itself alone; handlers' processes come by themselves.
    let memory: [String: Double]
    /// Open files of all roles.
    let descriptors: Int
    /// Processes of roles and handlers.
    let processes: Int
    /// Rows of the ledger: of all tasks, and of jobs that have not ended.
    let tasks: Int
    let openJobs: Int
    /// Keys in Redis.
    let keys: Int
    /// What the minute's runs were: tasks, times, contradictions.
    let record: RunRecord

    /// The heads of the columns of ``row``.
    static let head = """
        | minute | tasks | App APIs MiB | Service APIs MiB | workers MiB | handlers MiB | files | processes | rows of tasks \
        | open jobs | Redis keys | answer p50 ms | end p50 ms | end p99 ms | contradictions |
        |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
        """

    /// A line of the table.
    var row: String {
        let answer = Percentiles(record.measured["submit to answer"] ?? [])
        let end = Percentiles(record.measured["submit to end"] ?? [])
        let cells: [String] =
            ["\(minute)", "\(record.verdicts.values.reduce(0, +))"]
            + ["app-api", "service-api", "worker", "handlers"].map { memory[$0].map(Self.tenth) ?? "" }
            + ["\(descriptors)", "\(processes)", "\(tasks)", "\(openJobs)", "\(keys)"]
            + [answer.at(0.5), end.at(0.5), end.at(0.99)].map { $0.map { Self.tenth($0 * 1000) } ?? "" }
            + ["\(record.contradictions.count)"]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    private static func tenth(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

extension SoakMinute {
    /// Looks at a mesh.
    init(_ minute: Int, of mesh: ChaosMesh, _ record: RunRecord) async throws {
        let processes = mesh.ownProcesses()
        var memory: [String: Double] = [:]
        let roles = Dictionary(
            uniqueKeysWithValues: mesh.roles.compactMap { role, process in process.pid.map { ($0, role.kind.rawValue) }
            }
        )
        for process in processes {
            memory[roles[process.pid] ?? "handlers", default: 0] += Self.own(process.pid)
        }
        let rows = try await mesh.sql(
            "SELECT (SELECT count(*) FROM tasks) AS tasks, (SELECT count(*) FROM jobs WHERE finished_at IS NULL) AS open"
        )
        self.init(
            minute: minute,
            memory: memory,
            descriptors: mesh.descriptors().values.reduce(0, +),
            processes: processes.count,
            tasks: rows.first?["tasks"]?.int ?? 0,
            openJobs: rows.first?["open"]?.int ?? 0,
            keys: try await mesh.keys(),
            record: record
        )
    }

    /// The memory of a process in MiB that no other shares, whatever else runs the same program; 0 when it is gone.
    private static func own(_ pid: Int32) -> Double {
        let lines = (TextFile.read("/proc/\(pid)/smaps_rollup") ?? "").split(separator: "\n")
        let kibibytes = lines.filter { $0.hasPrefix("Private_") }.compactMap { line in
            line.split(separator: " ").dropFirst().first.flatMap { Double($0) }
        }
        return kibibytes.reduce(0, +) / 1024
    }
}
