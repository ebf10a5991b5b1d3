// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation

/// What a mesh under test is made of on this machine.
enum InstalledServers {
    /// Whether the servers can be started here; without them the build fails where there must be servers.
    static let all =
        ProcessInfo.processInfo.environment["CI"] != nil
        || ["/usr/lib/rabbitmq/lib", "/usr/lib/postgresql", "/usr/bin/redis-server"].allSatisfy {
            FileManager.default.fileExists(atPath: $0)
        }

    /// The executable: beside the tests' own program, else where a debug build puts it.
    static let binary: String = {
        var folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<3 {
            let candidate = folder.appending(path: "malla").path()
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
            folder.deleteLastPathComponent()
        }
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        return root + "/.build/debug/malla"
    }()

    /// The Python that handlers run with.
    static let python = ProcessInfo.processInfo.environment["MALLA_PYTHON"] ?? "python3"
}
