// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing

/// Runs `scripts/servers.sh COMMAND DIR …` on the private servers.
func privateServers(_ command: String, _ arguments: String...) async throws {
    let folder = try #require(TestServers.folder)
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let process = Process()
    process.executableURL = root.appendingPathComponent("scripts/servers.sh")
    process.arguments = [command, folder] + arguments
    process.standardOutput = FileHandle.nullDevice
    let ended = OneShot<Int32>()
    process.terminationHandler = { ended.finish(.success($0.terminationStatus)) }
    try process.run()
    #expect(try await ended.value() == 0, "servers.sh \(command) \(arguments)")
}
