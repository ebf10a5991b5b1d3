// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import ServiceWorker
import Synchronization
import Testing
import Workflow

/// Unmodified handlers of the `runpod` package from PyPI.
@Suite(.enabled(if: RunPodPackage.mustRun, "no Python with runpod (MALLA_TEST_PYTHON)"), .timeLimit(.minutes(3)))
struct ProcessRunPodTests {
    private func with<Value>(
        _ handler: String,
        start: String = "{\"handler\": handler}",
        concurrency: Int = 1,
        _ body: (ProcessFixture) async throws -> Value
    ) async throws -> Value {
        let code = "import runpod, os, asyncio, time\n\(handler)\nrunpod.serverless.start(\(start))\n"
        return try await ProcessFixture.with(
            code,
            python: TestPrograms.packagesPython,
            definition: { $0.concurrency = concurrency },
            body
        )
    }

    @Test func syncHandlers() async throws {
        let handler = """
            def handler(job):
                kind = job["input"].get("kind")
                if kind == "raise": raise ValueError("bad colour")
                if kind == "soft": return {"error": "soft failure", "detail": 1}
                if kind == "null": return {"error": None, "done": True}
                if kind == "bytes": return b"no JSON"
                return {"echo": job["input"]}
            """
        try await with(handler) { fixture in
            #expect(await fixture.run(["a": "ü"]).output == ["echo": ["a": "ü"]])
            #expect(await fixture.run(["kind": "raise"]).error == JobError(.handler, "ValueError: bad colour"))
            #expect(await fixture.run(["kind": "soft"]).error == JobError(.handler, "soft failure"))
            #expect(await fixture.run(["kind": "null"]).output?["done"] == true)
            let bytes = await fixture.run(["kind": "bytes"]).error
            #expect(bytes?.message.contains("JSON") == true)
            #expect(await fixture.run(["a": 2]).output == ["echo": ["a": 2]])
        }
    }

    @Test func generatorsStream() async throws {
        let handler = """
            def handler(job):
                for number in range(3):
                    yield {"n": number}
            """
        try await with(handler, start: "{\"handler\": handler, \"return_aggregate_stream\": True}") { fixture in
            let context = ProcessContext()
            let outcome = await fixture.run(["x": 1], context: context)
            #expect(outcome.output == [["n": 0], ["n": 1], ["n": 2]])
            #expect(context.partials.withLock { $0 } == [["n": 0], ["n": 1], ["n": 2]])
        }
    }

    @Test func progressIsPassedOn() async throws {
        let handler = """
            async def handler(job):
                runpod.serverless.progress_update(job, "half way")
                while not os.path.exists("go"):
                    await asyncio.sleep(0.02)
                return "done"
            """
        try await with(handler) { fixture in
            let context = ProcessContext()
            async let outcome = fixture.run(["x": 1], context: context)
            try await context.first.value()
            try Data().write(to: URL(filePath: fixture.folder + "/go"))
            #expect(await outcome.output == "done")
            #expect(context.progresses.withLock { $0 } == ["half way"])
        }
    }

    @Test func asyncHandlersAreStopped() async throws {
        let handler = """
            async def handler(job):
                if "pid" in job["input"]: return os.getpid()
                runpod.serverless.progress_update(job, "begun")
                await asyncio.sleep(1000)
            """
        try await with(handler) { fixture in
            let before = await fixture.run(["pid": 1]).output
            let context = ProcessContext()
            let running = Task { await fixture.run(["x": 1], context: context) }
            try await context.first.value()
            let start = ContinuousClock.now
            running.cancel()
            #expect(await running.value == .stopped)
            #expect(ContinuousClock.now - start < .seconds(1.5))
            let after = await fixture.run(["pid": 1]).output
            #expect(before != nil && after != nil)
        }
    }

    /// The package keeps its jobs in progress in a file: what a killed process left there must not bind the next one.
    @Test func theJobsOfAKilledHandlerAreNotItsSuccessors() async throws {
        let handler = """
            def handler(job):
                if "pid" in job["input"]: return [os.getpid(), os.getcwd(), os.environ["MALLA_SCRATCH"]]
                runpod.serverless.progress_update(job, "begun")
                time.sleep(1000)
            """
        try await with(handler) { fixture in
            let before = try #require(await fixture.run(["pid": 1]).output?.array)
            let context = ProcessContext()
            let running = Task { await fixture.run(["x": 1], context: context) }
            try await context.first.value()
            running.cancel()
            #expect(await running.value == .stopped)
            let after = try #require(await fixture.run(["pid": 1]).output?.array)
            #expect(after[0] != before[0], "a blocking handler is killed and replaced")
            #expect(after[1] == before[1], "it runs in its service's folder")
            let scratch = try #require(before[2].string)
            #expect(after[2].string != scratch && !FileManager.default.fileExists(atPath: scratch))
        }
    }

    @Test func refreshWorkerGetsAFreshProcess() async throws {
        let handler = """
            def handler(job):
                return {"refresh_worker": True, "pid": os.getpid()}
            """
        try await with(handler) { fixture in
            let first = await fixture.run(["x": 1]).output?["pid"]
            let second = await fixture.run(["x": 1]).output?["pid"]
            #expect(first != nil && second != nil && first != second)
        }
    }

    @Test func manyAtOnce() async throws {
        let handler = """
            async def handler(job):
                await asyncio.sleep(0.05)
                return job["input"]
            """
        try await with(
            handler,
            start: "{\"handler\": handler, \"concurrency_modifier\": lambda current: 8}",
            concurrency: 8
        ) { fixture in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<24 {
                    let input: JSON = ["n": .number(JSONNumber(number))]
                    group.addTask { #expect(await fixture.run(input).output == input) }
                }
            }
        }
    }
}

/// Where the `runpod` package is.
enum RunPodPackage {
    /// True where the package is there, and in continuous integration, where its absence is a failure.
    static let mustRun: Bool = {
        if TestServers.isCI { return true }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [TestPrograms.packagesPython, "-c", "import runpod"]
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            return false
        }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()
}
