// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// The processes of the machine, as `/proc` shows them.
struct ProcessTable: Sendable {
    /// A process.
    struct Entry: Sendable, Hashable {
        let pid: pid_t
        let parent: pid_t
        let state: Character
    }

    private let entries: [pid_t: Entry]

    /// Reads it as it is now.
    static func read() -> ProcessTable {
        var entries: [pid_t: Entry] = [:]
        for name in TextFile.names(in: "/proc") {
            guard let pid = pid_t(name), let entry = entry(pid) else { continue }
            entries[pid] = entry
        }
        return ProcessTable(entries: entries)
    }

    /// All but those that have ended and wait to be reaped.
    var living: [Entry] { entries.values.filter { $0.state != "Z" && $0.state != "X" } }

    /// The process and all that descend from it.
    func tree(of root: pid_t) -> [pid_t] {
        var children: [pid_t: [pid_t]] = [:]
        for entry in entries.values { children[entry.parent, default: []].append(entry.pid) }
        var found = [root]
        var next = 0
        while next < found.count {
            found += children[found[next]] ?? []
            next += 1
        }
        return found
    }

    /// Whether a process is one of these or descends from one.
    func descends(_ pid: pid_t, from roots: Set<pid_t>) -> Bool {
        var current = pid
        for _ in 0..<64 {
            if roots.contains(current) { return true }
            guard let parent = entries[current]?.parent, parent > 1 else { return false }
            current = parent
        }
        return false
    }

    /// The state letter of a process (`S`, `T`, `Z`, …); nil when there is none with this pid.
    static func state(of pid: pid_t) -> Character? { entry(pid)?.state }

    /// The environment that a process was started with.
    static func environment(of pid: pid_t) -> [String: String] {
        var variables: [String: String] = [:]
        for part in (TextFile.bytes("/proc/\(pid)/environ") ?? []).split(separator: 0) {
            let text = String(decoding: part, as: UTF8.self)
            guard let equals = text.firstIndex(of: "=") else { continue }
            variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return variables
    }

    /// The command line of a process, with spaces between its words.
    static func command(of pid: pid_t) -> String {
        (TextFile.bytes("/proc/\(pid)/cmdline") ?? []).split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }

    /// How many files, sockets and pipes a process has open; nil when it is gone.
    static func descriptors(of pid: pid_t) -> Int? {
        let count = TextFile.names(in: "/proc/\(pid)/fd").count
        return count > 0 ? count : nil
    }

    /// Whether a process does something of its own about a signal, or nothing at all; false when it would end.
    static func minds(_ signal: CInt, in pid: pid_t) -> Bool {
        let masks = (TextFile.read("/proc/\(pid)/status") ?? "").split(separator: "\n").compactMap { line -> UInt64? in
            guard line.hasPrefix("SigCgt:") || line.hasPrefix("SigIgn:") else { return nil }
            return line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }
        }
        return masks.contains { $0 & (1 << UInt64(signal - 1)) != 0 }
    }

    /// Seconds of CPU that a process and the children it has reaped have used.
    static func processorSeconds(of pid: pid_t) -> Double {
        let fields = fields(pid)
        guard fields.count > 14 else { return 0 }
        let ticks = fields[11...14].compactMap { Double($0) }.reduce(0, +)
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// When it was started, in clock ticks since the machine was: with the pid it names a process for good.
    static func started(_ pid: pid_t) -> String? {
        let fields = fields(pid)
        return fields.count > 19 ? String(fields[19]) : nil
    }

    private static func entry(_ pid: pid_t) -> Entry? {
        let fields = fields(pid)
        guard fields.count > 2, let state = fields[0].first, let parent = pid_t(fields[1]) else { return nil }
        return Entry(pid: pid, parent: parent, state: state)
    }

    /// The fields of `/proc/PID/stat` behind the name, which may hold spaces and parentheses: the first is the state.
    private static func fields(_ pid: pid_t) -> [Substring] {
        guard let text = TextFile.read("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }
}
