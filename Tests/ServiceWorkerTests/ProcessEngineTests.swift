// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import MediaStore
import Plumbing
import ServiceWorker
import Testing
import Workflow

/// The process engine with handlers written with our Python module.
@Suite(.timeLimit(.minutes(2)))
struct ProcessEngineTests {
    @Test func echoesMany() async throws {
        let code = """
            import malla
            malla.serve(lambda job: [job["input"], job["attempt"], job["traceparent"][:2]])
            """
        try await ProcessFixture.with(code) { fixture in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        let outcome = await fixture.run(["n": .number(JSONNumber(number))], attempt: 2)
                        #expect(outcome.output == [["n": .number(JSONNumber(number))], 2, "00"])
                    }
                }
            }
            #expect(await fixture.engine.trouble.isEmpty)
        }
    }

    @Test func errorsAreTold() async throws {
        let code = """
            import malla
            def handler(job):
                kind = job["input"]
                if kind == "raise": raise ValueError("bad colour")
                if kind == "input": raise malla.InvalidInput("/image", "is not a picture")
                if kind == "final": raise malla.Failure("never", final=True, category="licence")
                return {"error": "inside", "set": {1, 2}} if kind == "json" else {"error": "inside"}
            malla.serve(handler)
            """
        try await ProcessFixture.with(code) { fixture in
            #expect(await fixture.run("raise").error == JobError(.handler, "ValueError: bad colour"))
            let input = await fixture.run("input").error
            #expect(input == JobError(.invalidInput, input?.message ?? "", isFinal: true, field: "/image"))
            #expect(input?.message.contains("is not a picture") == true)
            #expect(await fixture.run("final").error == JobError(.handler, "licence: never", isFinal: true))
            let json = await fixture.run("json").error
            #expect(json?.isFinal == true && json?.message.contains("set") == true)
            #expect(await fixture.run("ok").output == ["error": "inside"])
        }
    }

    /// What a process wrote about one caller's job is no other caller's business.
    @Test func theErrorOfADeathTellsNothingOfOtherJobs() async throws {
        let code = """
            import malla, os, signal
            def handler(job):
                print("Handler output:", job["input"], flush=True)
                if job["input"] == "die": os.kill(os.getpid(), signal.SIGKILL)
                return 1
            malla.serve(handler)
            """
        try await ProcessFixture.with(code) { fixture in
            #expect(await fixture.run("the neighbour's secret").output == 1)
            guard case .died(let error) = await fixture.run("die") else {
                Issue.record("it did not die")
                return
            }
            #expect(!error.message.contains("secret") && !error.message.contains("Handler output"))
            #expect(error.message.contains("ended by signal 9 (SIGKILL, as when memory runs out)"))
        }
    }

    @Test func exitInTheMiddleKeepsTheOutput() async throws {
        let code = """
            import malla, os, sys
            def handler(job):
                if job["input"] == "die":
                    print("last words", file=sys.stderr)
                    os._exit(7)
                return 1
            malla.serve(handler)
            """
        try await ProcessFixture.with(code) { fixture in
            #expect(await fixture.run().output == 1)
            guard case .died(let error) = await fixture.run("die") else {
                Issue.record("it did not die")
                return
            }
            #expect(error == JobError(.handler, "the handler's process exited with status 7"))
            let trouble = await fixture.engine.trouble
            #expect(trouble.first?.output.contains("last words") == true)
            #expect(await fixture.run().output == 1)
            #expect(await fixture.engine.trouble.isEmpty)
        }
    }

    @Test func garbageOnStandardOutputIsHarmless() async throws {
        let code = """
            import malla, os
            def handler(job):
                os.write(1, b"\\xff\\x00{\\"jobs\\":" * 20000)
                return "fine"
            malla.serve(handler)
            """
        try await ProcessFixture.with(code) { fixture in
            #expect(await fixture.run().output == "fine")
        }
    }

    @Test func aHugeResultEndsItsJobAlone() async throws {
        let code = """
            import malla
            malla.serve(lambda job: "x" * job["input"])
            """
        try await ProcessFixture.with(code) { _ in
        } settings: {
            $0.bodyLimit = 100_000
        } _: { fixture in
            guard case .died(let error) = await fixture.run(200_000) else {
                Issue.record("it was taken")
                return
            }
            #expect(error.message.contains("larger than 100000 bytes"))
            #expect(await fixture.run(3).output == "xxx")
        }
    }

    @Test func jobsComeInBatches() async throws {
        let code = """
            import malla
            malla.serve(lambda jobs: [len(jobs)] * len(jobs), batch=8)
            """
        try await ProcessFixture.with(code) {
            $0.batchMaxSize = 8
            $0.batchMaxWait = .milliseconds(500)
        } _: { fixture in
            #expect(fixture.engine.slots == 8)
            let sizes = await withTaskGroup(of: JSON?.self) { group in
                for _ in 0..<8 { group.addTask { await fixture.run().output } }
                return await group.reduce(into: [JSON?]()) { $0.append($1) }
            }
            #expect(sizes == Array(repeating: 8, count: 8))
            let start = ContinuousClock.now
            #expect(await fixture.run().output == 1)
            #expect(ContinuousClock.now - start < .seconds(2))
        }
    }

    @Test func jobsRunAtOnce() async throws {
        let code = """
            import malla, threading
            barrier = threading.Barrier(4)
            def handler(job):
                barrier.wait(10)
                return True
            malla.serve(handler)
            """
        try await ProcessFixture.with(code) {
            $0.concurrency = 4
        } _: { fixture in
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { #expect(await fixture.run().output == true) } }
            }
        }
    }

    @Test func processesSpreadOverGPUs() async throws {
        let code = """
            import malla, os, time
            def handler(job):
                gpu = os.environ["CUDA_VISIBLE_DEVICES"]
                open("gpu-" + gpu, "w").close()
                while len([name for name in os.listdir(".") if name.startswith("gpu-")]) < 2:
                    time.sleep(0.01)
                return gpu
            malla.serve(handler)
            """
        try await ProcessFixture.with(code) {
            $0.gpus = .listed([3, 5])
        } _: { fixture in
            let gpus = await withTaskGroup(of: String?.self) { group in
                for _ in 0..<2 { group.addTask { await fixture.run().output?.string } }
                return await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
            #expect(gpus == ["3", "5"])
        }
    }

    @Test func startUpFailureIsToldWithItsTraceback() async throws {
        let code = """
            def load(): raise RuntimeError("no weights here")
            load()
            """
        try await ProcessFixture.with(code) { fixture in
            try await until { await !fixture.engine.trouble.isEmpty }
            let trouble = await fixture.engine.trouble.last
            #expect(trouble?.message.contains("status 1") == true)
            #expect(trouble?.output.contains("RuntimeError: no weights here") == true)
            #expect(trouble?.output.contains("Traceback") == true)
            let waiting = Task { await fixture.run() }
            waiting.cancel()
            #expect(await waiting.value == .stopped)
        }
    }

    @Test func startUpHasALimit() async throws {
        let code = """
            import malla, time
            malla.serve(lambda job: 1, setup=lambda: time.sleep(100))
            """
        try await ProcessFixture.with(code) {
            $0.startupTimeout = .milliseconds(300)
        } _: { fixture in
            try await until { await !fixture.engine.trouble.isEmpty }
            let trouble = await fixture.engine.trouble.last
            #expect(trouble?.message.contains("within 300 ms") == true)
        }
    }

    @Test func aMissingProgramIsTold() async throws {
        try await ProcessFixture.with("") {
            $0.engine = .process(command: ["/no/such/program"], environment: [:])
        } _: { fixture in
            try await until { await !fixture.engine.trouble.isEmpty }
            let trouble = await fixture.engine.trouble.last
            let words = (trouble?.message ?? "") + (trouble?.output ?? "")
            #expect(words.contains("/no/such/program"))
        }
    }

    @Test func memoryHasALimit() async throws {
        let code = """
            import malla
            malla.serve(lambda job: len(bytearray(job["input"])))
            """
        try await ProcessFixture.with(code) {
            $0.memoryLimit = 1 << 30
        } _: { fixture in
            #expect(await fixture.run(1000).output == 1000)
            let tooMuch = await fixture.run(.number(JSONNumber(2 << 30))).error
            #expect(tooMuch?.message.contains("MemoryError") == true)
            #expect(await fixture.run(1000).output == 1000)
        }
    }

    @Test func environmentIsClean() async throws {
        let code = """
            import malla, os
            malla.serve(lambda job: [dict(os.environ), len(os.listdir("/proc/self/fd"))])
            """
        let listed = ["MODEL": "small", "LEVEL": "1"]
        try await ProcessFixture.with(code, environment: listed) { _ in
        } settings: {
            $0.environment["DATABASE_URL"] = "postgres://secret"
            $0.environment["LEVEL"] = "2"
        } _: { fixture in
            let answer = await fixture.run().output?.array
            let seen = try #require(answer?.first?.object)
            #expect(seen["DATABASE_URL"] == nil && seen["MODEL"] == "small" && seen["LEVEL"] == "2")
            #expect(seen["CUDA_VISIBLE_DEVICES"] == "")
            let known = [
                "PATH", "HOME", "LANG", "TMPDIR", "MODEL", "LEVEL", "PYTHONPATH", "PYTHONUNBUFFERED",
                "CUDA_VISIBLE_DEVICES", "LC_CTYPE",
            ]
            // A `python3` that is a shell script (pyenv) adds a few of its own.
            let prefixes = ["RUNPOD_", "MALLA_", "PYENV_", "_PYENV_", "PWD", "SHLVL"]
            let others = seen.names.filter { name in
                !known.contains(name) && !prefixes.contains { name.hasPrefix($0) }
            }
            #expect(others.isEmpty)
            #expect((answer?.last?.int ?? 100) < 12)
        }
    }
}
