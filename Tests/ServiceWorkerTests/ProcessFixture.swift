// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Logging
import MallaTestKit
import MediaStore
import Plumbing
import ServiceWorker
import Synchronization
import Testing
import Workflow

/// A process engine around a Python handler that a test wrote.
struct ProcessFixture: Sendable {
    let engine: ProcessEngine
    let folder: String
    let media: ProcessMedia

    /// Runs `body` with an engine for this handler, and ends the engine after it.
    static func with<Value>(
        _ code: String,
        python: String = TestPrograms.python,
        environment: [String: String] = [:],
        definition change: (inout ServiceDefinition) -> Void = { _ in },
        settings adjust: (inout ProcessEngineSettings) -> Void = { _ in },
        _ body: (ProcessFixture) async throws -> Value
    ) async throws -> Value {
        try await unstarted(code, python: python, environment: environment, definition: change, settings: adjust) {
            await $0.engine.start()
            return try await body($0)
        }
    }

    /// Runs `body` with an engine that it starts itself, and ends the engine after it.
    static func unstarted<Value>(
        _ code: String,
        python: String = TestPrograms.python,
        environment: [String: String] = [:],
        definition change: (inout ServiceDefinition) -> Void = { _ in },
        settings adjust: (inout ProcessEngineSettings) -> Void = { _ in },
        _ body: (ProcessFixture) async throws -> Value
    ) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appending(path: "process-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(code.utf8).write(to: URL(filePath: folder + "/handler.py"))
        var definition = ServiceDefinition(
            name: "tested",
            engine: .process(command: ["python3", "handler.py"], environment: environment),
            folder: folder
        )
        change(&definition)
        var settings = ProcessEngineSettings(
            python: python,
            modules: modules,
            environment: ProcessInfo.processInfo.environment.filter { ["PATH", "HOME"].contains($0.key) }
        )
        adjust(&settings)
        let media = ProcessMedia()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let engine = try #require(ProcessEngine(definition, media: media, settings: settings, logger: logger))
        do {
            let value = try await body(ProcessFixture(engine: engine, folder: folder, media: media))
            await engine.stop()
            return value
        } catch {
            await engine.stop()
            throw error
        }
    }

    /// Runs one job.
    func run(
        _ input: JSON = .null,
        attempt: Int = 1,
        context: ProcessContext = ProcessContext()
    ) async -> HandlerOutcome {
        var job = Job(id: MeshID(), service: "tested", createdAt: .now)
        job.lease = MeshID()
        job.attempt = attempt
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        return await engine.run(
            HandlerWork(job: job, input: input.bytes, service: "tested", trace: trace),
            context: context
        )
    }

    /// The folder of our Python module.
    static let modules: String = {
        let here = URL(filePath: #filePath).resolvingSymlinksInPath()
        return here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "python").path()
    }()
}

/// Remembers what a handler says while it runs, and lets a test wait for it.
final class ProcessContext: HandlerContext {
    let progresses = Mutex<[JSON]>([])
    let partials = Mutex<[JSON]>([])
    let first = OneShot<Void>()

    func progress(_ json: [UInt8]) {
        progresses.withLock { $0.append((try? JSON(parsing: json)) ?? "unreadable") }
        first.finish(.success(()))
    }

    func partial(_ json: [UInt8]) {
        partials.withLock { $0.append((try? JSON(parsing: json)) ?? "unreadable") }
        first.finish(.success(()))
    }
}

extension HandlerOutcome {
    /// The result, when there is one.
    var output: JSON? {
        guard case .succeeded(let bytes) = self else { return nil }
        return try? JSON(parsing: bytes)
    }

    /// The error of a failed attempt.
    var error: JobError? {
        guard case .failed(let error) = self else { return nil }
        return error
    }
}
