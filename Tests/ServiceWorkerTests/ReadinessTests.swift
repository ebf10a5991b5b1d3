// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Foundation
import Ledger
import MallaTestKit
import Plumbing
import Synchronization
import Testing
import Workflow

@testable import ServiceWorker

/// A worker claims jobs only for handlers that have started.
@Suite(.timeLimit(.minutes(1))) struct ReadinessTests {
    /// A handler that does not start before a file `mended` is there.
    private let broken = """
        import malla, os
        if not os.path.exists("mended"): raise ImportError("no module named torch")
        malla.serve(lambda job: {"pid": os.getpid()})
        """

    private func quick(_ settings: inout ProcessEngineSettings) {
        settings.restart = Backoff(base: .milliseconds(50), cap: .milliseconds(200), jitter: 0)
    }

    @Test("A handler that does not start gets no job; once it is mended the job runs, as its first attempt")
    func waitsForTheHandler() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        try await ProcessFixture.unstarted(broken, settings: quick) { process in
            let worker = fixture.worker(process.engine) { $0.ticketHold = .milliseconds(100) }
            await worker.start()
            let job = try #require(try await fixture.add(1).first)
            // Its ticket went back to the queue, and more are not asked for.
            try await until { await worker.lines[0].view.isPaused }
            try await until { try await !fixture.troubles().isEmpty }
            #expect(process.engine.readySlots == 0)
            #expect(try await fixture.broker.depth(of: QueueName.tickets(service: "work")) == 1)
            let record = try #require(try await fixture.inner.job(job.id))
            #expect(record.job.attempt == 0 && record.job.state == .waiting)
            #expect(fixture.ledger.claims(of: worker.id) == 0)
            #expect(try await fixture.troubles().contains { $0.contains("no module named torch") })

            try Data().write(to: URL(filePath: process.folder + "/mended"))
            let done = try #require(await settled.first(1).first)
            #expect(done.verdict == .applied(.succeeded))
            #expect(try await fixture.inner.job(job.id)?.job.attempt == 1)
            try await until { try await fixture.troubles().isEmpty }
            await worker.drain(timeout: .seconds(5))
        }
    }

    @Test("What was claimed before the last process ended goes back when its next one does not start")
    func handsBackWhatWaits() async throws {
        try await ProcessFixture.with(broken, settings: quick) { process in
            #expect(await process.run() == .handedBack)
            try Data().write(to: URL(filePath: process.folder + "/mended"))
            try await until { process.engine.readySlots == 1 }
            #expect(await process.run().output?["pid"] != nil)
        }
    }

    @Test("The worker whose handler starts gets all jobs of two workers")
    func leavesJobsToOthers() async throws {
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        try await ProcessFixture.unstarted(broken, settings: quick) { process in
            let failing = fixture.worker(process.engine) { $0.ticketHold = .milliseconds(100) }
            await failing.start()
            let jobs = try await fixture.add(20)
            try await until { await failing.lines[0].view.isPaused }
            let good = fixture.worker(FunctionHandler { $0 }, slots: 2)
            await good.start()
            let done = await settled.first(20)
            #expect(Set(done.map(\.completion.job)) == Set(jobs.map(\.id)))
            #expect(done.allSatisfy { $0.verdict == .applied(.succeeded) })
            #expect(fixture.ledger.claims(of: failing.id) == 0)
            await good.drain(timeout: .seconds(5))
            await failing.drain(timeout: .seconds(5))
        }
    }

    @Test("Jobs are claimed for the processes that have started, not for those that do not start")
    func countsTheStarted() async throws {
        let code = """
            import malla, os, time
            if os.environ["CUDA_VISIBLE_DEVICES"] == "1": raise RuntimeError("no such device")
            def handler(job):
                while not os.path.exists("go"): time.sleep(0.01)
                return True
            malla.serve(handler)
            """
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        try await ProcessFixture.unstarted(code) {
            $0.gpus = .listed([0, 1])
        } settings: {
            quick(&$0)
        } _: { process in
            let worker = fixture.worker(process.engine) { $0.ticketHold = .milliseconds(100) }
            await worker.start()
            let jobs = try await fixture.add(3)
            try await until { await worker.lines[0].view.running == 1 }
            // The tickets of the others have gone back: no claim is on its way any more.
            try await until { await worker.lines[0].view.isPaused }
            #expect(process.engine.readySlots == 1 && process.engine.slots == 2)
            #expect(fixture.ledger.claims(of: worker.id) == 1)
            try Data().write(to: URL(filePath: process.folder + "/go"))
            #expect(Set(await settled.first(3).map(\.completion.job)) == Set(jobs.map(\.id)))
            await worker.drain(timeout: .seconds(5))
        }
    }

    @Test("After the only process died the next job is claimed when another is there")
    func followsDeaths() async throws {
        let code = """
            import malla, os
            def handler(job):
                if not os.path.exists("died"):
                    open("died", "w").close()
                    os._exit(1)
                return True
            malla.serve(handler)
            """
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        try await ProcessFixture.unstarted(code, settings: quick) { process in
            let worker = fixture.worker(process.engine)
            await worker.start()
            let jobs = try await fixture.add(2, tickets: 2)
            let done = await settled.first(3)
            #expect(done.map { $0.completion.failure?.handlerDied } == [true, nil, nil])
            var attempts: [Int] = []
            for job in jobs { attempts.append(try await fixture.inner.job(job.id)?.job.attempt ?? 0) }
            #expect(attempts.sorted() == [1, 2])
            await worker.drain(timeout: .seconds(5))
        }
    }

    @Test("Jobs are claimed one by one for a process that is replaced after each", .enabled(if: RunPodPackage.mustRun))
    func followsReplacements() async throws {
        let code = """
            import runpod, os
            def handler(job):
                return {"refresh_worker": True, "pid": os.getpid()}
            runpod.serverless.start({"handler": handler})
            """
        let fixture = try await WorkerFixture()
        let settled = try await fixture.settler()
        try await ProcessFixture.unstarted(code, python: TestPrograms.packagesPython) { process in
            let worker = fixture.worker(process.engine)
            let begun = ContinuousClock.now
            await worker.start()
            try await fixture.add(4)
            let done = await settled.first(4)
            #expect(done.allSatisfy { $0.verdict == .applied(.succeeded) })
            #expect(Set(done.map(\.completion.result)).count == 4)
            // None waited for a process while its time limit ran: nearly all of the time goes into the starts.
            let ran = done.reduce(0) { $0 + $1.completion.runMilliseconds }
            #expect(.milliseconds(2 * ran) < ContinuousClock.now - begun)
            await worker.drain(timeout: .seconds(5))
        }
    }
}

extension WorkerFixture {
    /// What the workers' rows say of trouble.
    fileprivate func troubles() async throws -> [String] {
        try await inner.workers().compactMap { $0.beat.trouble.map { String(decoding: $0, as: UTF8.self) } }
    }
}
