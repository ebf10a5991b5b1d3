// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Foundation

/// The programs that tests start.
public enum TestPrograms {
    /// The executable `malla`: beside the tests' own program, else where a debug build puts it.
    public static let malla: String = {
        var folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        for _ in 0..<3 {
            let candidate = folder.appending(path: "malla").path()
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
            folder.deleteLastPathComponent()
        }
        return root + "/.build/debug/malla"
    }()

    /// The Python that handlers run with, with what they import (`MALLA_PYTHON`, else an environment of `scripts`).
    public static let python: String = {
        let places = [".venv-test/bin/python", ".venv/bin/python3"].map { root + "/" + $0 }
        return TestServers.variable("MALLA_PYTHON")
            ?? places.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "python3"
    }()

    /// The Python with the packages that tests run against, such as `runpod` and `botocore` (`MALLA_TEST_PYTHON`).
    public static let packagesPython = TestServers.variable("MALLA_TEST_PYTHON") ?? python

    /// The root of the package.
    private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")
}
