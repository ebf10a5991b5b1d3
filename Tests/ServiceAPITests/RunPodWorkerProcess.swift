// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Synchronization
import Testing

/// A process of an unmodified RunPod worker: the real package with a handler of `Tests/RunPod/worker`.
final class RunPodWorkerProcess: Sendable {
    /// True where the package is there, and in continuous integration, where its absence is a failure.
    static let mustRun = TestServers.isCI || version != nil

    /// Whether the package asks which jobs to stop, as it does since 1.10.
    static let asksForStops: Bool = {
        if TestServers.isCI { return true }
        let numbers = (version ?? "0").split(separator: ".").compactMap { Int($0) }
        return numbers.first ?? 0 > 1 || (numbers.first == 1 && numbers.dropFirst().first ?? 0 >= 10)
    }()

    private static let version: String? = {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        let program = "import importlib.metadata as m; print(m.version('runpod'))"
        process.arguments = [TestPrograms.packagesPython, "-c", program]
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return process.terminationStatus == 0 ? text.trimmingCharacters(in: .whitespacesAndNewlines) : nil
    }()

    private let process: Mutex<Process>
    private let log: String
    let identifier: Int32

    /// Starts a worker with the environment that the documentation gives.
    init(_ name: String, handler: String, port: Int) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
        let base = "http://127.0.0.1:\(port)/v2/echo"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [TestPrograms.packagesPython, "-u", "\(folder)/RunPod/worker/handlers.py"]
        process.environment = ProcessInfo.processInfo.environment.merging(
            [
                "TEST_HANDLER": handler,
                "RUNPOD_WEBHOOK_GET_JOB": "\(base)/job-take/$ID?gpu=X",
                "RUNPOD_WEBHOOK_POST_OUTPUT": "\(base)/job-done/$RUNPOD_POD_ID/$ID?gpu=X",
                "RUNPOD_WEBHOOK_POST_STREAM": "\(base)/job-stream/$RUNPOD_POD_ID/$ID?gpu=X",
                "RUNPOD_WEBHOOK_PING": "\(base)/ping/$RUNPOD_POD_ID?gpu=X",
                "RUNPOD_PING_INTERVAL": "1000",
                "RUNPOD_AI_API_KEY": "key",
                "RUNPOD_POD_ID": name,
                "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
                "RUNPOD_SKIP_GPU_CHECK": "true",
            ]
        ) { $1 }
        log = FileManager.default.temporaryDirectory.appendingPathComponent("malla-worker-\(UUID()).log").path
        try Data().write(to: URL(filePath: log))
        let output = try #require(FileHandle(forWritingAtPath: log))
        process.standardOutput = output
        process.standardError = output
        try process.run()
        identifier = process.processIdentifier
        self.process = Mutex(process)
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: log)
    }

    /// Ends the worker and whatever it started.
    func kill() {
        _ = Foundation.kill(-identifier, SIGKILL)
        _ = Foundation.kill(identifier, SIGKILL)
    }

    /// What it has written so far.
    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    var isRunning: Bool { process.withLock { $0.isRunning } }

    /// Sends a signal to the worker's own process, and not to the one that pings.
    func send(_ signal: Int32) { _ = Foundation.kill(identifier, signal) }

    /// Waits for its end.
    func end() async throws {
        while isRunning { try await Task.sleep(for: .milliseconds(20)) }
    }
}
