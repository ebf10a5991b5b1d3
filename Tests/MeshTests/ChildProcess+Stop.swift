// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

@testable import MallaChaos

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

extension ChildProcess {
    /// Runs a program to its end and returns its wait status: 0 when it went well.
    static func finish(_ words: [String], environment: [String: String], log: String) async throws -> CInt {
        try await ChildProcess(words, environment: environment, log: log).end
    }

    /// Ends it as a crash of the machine would, and returns when it is gone.
    func kill() async {
        signal(SIGKILL)
        _ = await end
    }

    /// Asks it to end, waits, and ends it with its group after 10 s.
    func stop() async {
        signal(SIGTERM)
        if !(await ends(within: .seconds(10))) { await killGroup() }
    }
}
