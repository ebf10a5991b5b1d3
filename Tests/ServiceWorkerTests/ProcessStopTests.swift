// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import ServiceWorker
import Testing
import Workflow

/// Stopping jobs and processes.
@Suite(.timeLimit(.minutes(2)))
struct ProcessStopTests {
    private static let hangs = """
        import malla, time
        def handler(job):
            if job["input"] == "ok":
                return "ok"
            malla.progress(job, "begun")
            while True:
                time.sleep(1000)
        malla.serve(handler)
        """

    @Test func aHangingHandlerIsStoppedWithinASecond() async throws {
        try await ProcessFixture.with(Self.hangs) { fixture in
            let context = ProcessContext()
            let running = Task { await fixture.run("hang", context: context) }
            try await context.first.value()
            let start = ContinuousClock.now
            running.cancel()
            #expect(await running.value == .stopped)
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(await fixture.run("ok").output == "ok")
        }
    }

    @Test func itsNeighboursGoBack() async throws {
        try await ProcessFixture.with(Self.hangs) {
            $0.concurrency = 2
        } _: { fixture in
            let contexts = [ProcessContext(), ProcessContext()]
            let first = Task { await fixture.run("hang", context: contexts[0]) }
            let second = Task { await fixture.run("hang", context: contexts[1]) }
            for context in contexts { try await context.first.value() }
            first.cancel()
            #expect(await first.value == .stopped)
            #expect(await second.value == .handedBack)
        }
    }

    @Test func aHandlerThatAsksEndsByItself() async throws {
        let code = """
            import malla, os, time
            def handler(job):
                if job["input"] == "pid":
                    return os.getpid()
                malla.progress(job, "begun")
                while not malla.cancelled(job):
                    time.sleep(0.01)
                raise malla.Cancelled()
            malla.serve(handler)
            """
        try await ProcessFixture.with(code) { fixture in
            let before = await fixture.run("pid").output
            let context = ProcessContext()
            let running = Task { await fixture.run("wait", context: context) }
            try await context.first.value()
            running.cancel()
            #expect(await running.value == .stopped)
            #expect(await fixture.run("pid").output == before)
        }
    }

    @Test func drainGivesBackWhatWaits() async throws {
        try await ProcessFixture.with(Self.hangs) { fixture in
            let context = ProcessContext()
            let running = Task { await fixture.run("hang", context: context) }
            try await context.first.value()
            let waiting = Task { await fixture.run("hang") }
            await Task.yield()
            await fixture.engine.drain()
            #expect(await waiting.value == .handedBack)
            #expect(await fixture.run("ok") == .handedBack)
            await fixture.engine.stop()
            #expect(await running.value == .handedBack)
        }
    }

    @Test func nothingIsLeftBehind() async throws {
        let code = """
            import malla, os, signal, subprocess
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            def handler(job):
                child = subprocess.Popen(["sleep", "1000"])
                return [os.getpid(), child.pid]
            malla.serve(handler)
            """
        let pids = try await ProcessFixture.with(code) { fixture in
            await fixture.run().output?.array?.compactMap(\.int) ?? []
        }
        #expect(pids.count == 2)
        for pid in pids {
            let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
            #expect(stat.isEmpty || stat.contains(") Z "), "\(pid) still runs")
        }
    }
}
