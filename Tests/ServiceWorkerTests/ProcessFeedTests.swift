// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing
import Workflow

@testable import ServiceWorker

/// Who gets which job, without processes.
struct ProcessFeedTests {
    private func job(_ id: MeshID = MeshID(), lease: MeshID = MeshID()) -> FeedJob {
        var job = Job(id: id, service: "tested", createdAt: .now)
        job.lease = lease
        let work = HandlerWork(job: job, input: Array("1".utf8), service: "tested")
        return FeedJob(work, context: ProcessContext(), answer: OneShot())
    }

    private func state(capacity: Int = 10, batch: Int = 1, wait: Duration = .zero) -> FeedState {
        var state = FeedState(capacity: capacity, batchMaxSize: batch, batchMaxWait: wait)
        state.add("p", token: [1])
        state.add("q", token: [2])
        return state
    }

    private func taker(_ max: Int = 1) -> FeedProcess.Taker {
        FeedProcess.Taker(max: max, connection: nil, answer: OneShot())
    }

    private func gifts(_ effects: [FeedEffect]) -> [FeedGift] {
        effects.flatMap { if case .give(_, let gifts) = $0 { gifts } else { [FeedGift]() } }
    }

    private func outcomes(_ effects: [FeedEffect]) -> [HandlerOutcome] {
        effects.compactMap { if case .settle(_, let outcome) = $0 { outcome } else { nil } }
    }

    private func result(_ text: String) -> HandlerOutcome { .succeeded(Array(text.utf8)) }

    @Test func resultsCountOnceAndOnlyFromWhoRunsTheJob() throws {
        var state = state()
        let job = job()
        _ = state.enqueue(job)
        #expect(gifts(state.take("p", taker())).count == 1)
        #expect(outcomes(state.finish(job.id, lease: job.lease, from: "q", result("0"))).isEmpty)
        #expect(outcomes(state.finish(job.id, lease: "another", from: "p", result("0"))).isEmpty)
        #expect(outcomes(state.finish(job.id, lease: job.lease, from: "p", result("1"))) == [result("1")])
        #expect(outcomes(state.finish(job.id, lease: job.lease, from: "p", result("2"))).isEmpty)
        #expect(outcomes(state.remove("p", JobError(.handler, "gone"), isOurDoing: false)).isEmpty)
        #expect(state.jobs.isEmpty && state.waiting.isEmpty)
    }

    @Test func undeliveredJobsAreTheNext() throws {
        var state = state()
        let first = job()
        _ = state.enqueue(first)
        _ = state.enqueue(job())
        let given = gifts(state.take("p", taker()))
        _ = state.giveBack(given)
        #expect(gifts(state.take("q", taker())).map(\.number) == given.map(\.number))
        #expect(outcomes(state.finish(first.id, lease: nil, from: "p", result("1"))).isEmpty)
        #expect(outcomes(state.finish(first.id, lease: nil, from: "q", result("1"))).count == 1)
    }

    @Test func theLeastBusyGetsTheJob() {
        var state = state()
        _ = state.enqueue(job())
        _ = state.take("p", taker())
        _ = state.take("p", taker())
        _ = state.take("q", taker())
        _ = state.enqueue(job())
        #expect(state.processes["q"]?.running.count == 1)
        #expect(state.processes["p"]?.running.count == 1)
    }

    @Test func twoAttemptsOfOneJobNeverMeetInOneProcess() {
        var state = state()
        let id = MeshID()
        _ = state.enqueue(job(id))
        _ = state.enqueue(job(id))
        #expect(gifts(state.take("p", taker(2))).count == 1)
        #expect(gifts(state.take("p", taker(2))).isEmpty)
        #expect(gifts(state.take("q", taker(2))).count == 1)
    }

    @Test func anIdleProcessHasLostItsJobs() {
        var state = state()
        _ = state.enqueue(job())
        let given = gifts(state.take("p", taker()))
        #expect(state.reportIdle("p").isEmpty)  // the answer is still on its way
        state.delivered(given)
        #expect(outcomes(state.reportIdle("p")).count == 1)
        #expect(state.jobs.isEmpty)
    }

    @Test func aBatchWaitsToFillButNotForLong() {
        var state = state(batch: 4, wait: .seconds(1))
        _ = state.take("p", taker(4))
        var effects = state.enqueue(job())?.effects ?? []
        guard case .look(let instant)? = effects.first else {
            Issue.record("nothing was held")
            return
        }
        effects = state.enqueue(job())?.effects ?? []
        #expect(effects.isEmpty)
        #expect(gifts(state.deal(instant + .milliseconds(1))).count == 2)
        _ = state.take("q", taker(4))
        for _ in 0..<3 {
            effects = state.enqueue(job())?.effects ?? []
            #expect(gifts(effects).isEmpty)
        }
        effects = state.enqueue(job())?.effects ?? []
        #expect(gifts(effects).count == 4)
    }

    @Test func deathBlamesWhatRanAndKillingDoesNot() {
        var state = state()
        _ = state.enqueue(job())
        _ = state.take("p", taker())
        let error = JobError(.handler, "gone")
        #expect(outcomes(state.remove("p", error, isOurDoing: false)) == [.died(error)])
        _ = state.enqueue(job())
        let stopped = state.enqueue(job())?.number ?? 0
        _ = state.take("q", taker(2))
        #expect(state.stop(stopped).mustFollow)
        #expect(state.stops(of: "q").count == 1)
        #expect(!state.stopOverdue(stopped).isEmpty)
        let ends = outcomes(state.remove("q", error, isOurDoing: true))
        #expect(ends.count == 2 && ends.contains(.stopped) && ends.contains(.handedBack))
    }

    @Test func oneThatLeavesGetsNothing() {
        var state = state()
        _ = state.take("p", taker())
        #expect(state.leave("p").count == 1)
        _ = state.take("p", taker())
        let effects = state.enqueue(job())?.effects ?? []
        #expect(gifts(effects).isEmpty)
        #expect(gifts(state.take("q", taker())).count == 1)
    }

    @Test func tenThousandJobsInAndOut() {
        var state = state(capacity: 100)
        let jobs = (0..<10_000).map { _ in job() }
        for job in jobs { _ = state.enqueue(job) }
        var ended = 0
        while true {
            let given = gifts(state.take("p", taker(100)))
            guard !given.isEmpty else { break }
            for gift in given {
                guard let job = state.jobs[gift.number] else { continue }
                ended += outcomes(state.finish(job.id, lease: job.lease, from: "p", result("1"))).count
            }
        }
        #expect(ended == 10_000 && state.jobs.isEmpty && state.waiting.isEmpty)
    }

    @Test func errorsOfOtherHandlersAreUnderstood() throws {
        func outcome(_ text: String) throws -> HandlerOutcome {
            HandlerResult(try JSON(parsing: Array(text.utf8))).outcome
        }
        #expect(try outcome("{}") == result("null"))
        #expect(try outcome(#"{"output":{"a":1.50},"error":null}"#) == result(#"{"a":1.50}"#))
        #expect(try outcome(#"{"error":"words"}"#) == .failed(JobError(.handler, "words")))
        #expect(try outcome(#"{"error":"{not json"}"#) == .failed(JobError(.handler, "{not json")))
        #expect(try outcome(#"{"error":{"code":3}}"#) == .failed(JobError(.handler, #"{"code":3}"#)))
        #expect(HandlerResult(["output": 1, "stopPod": true]).wantsRestart)
        let named = #"{"error":"{\"error_type\":\"<class 'KeyError'>\",\"error_message\":\"'x'\"}"}"#
        #expect(try outcome(named) == .failed(JobError(.handler, "KeyError: 'x'")))
        let poison = #"{"error":"{\"error_message\":\"m\",\"category\":\"poison\"}"}"#
        #expect(try outcome(poison) == .failed(JobError(.handler, "poison: m")))
    }

    @Test func pathsAreRead() {
        let done = HandlerRoute(path: "/v2/echo/job-done/p-1/a%2Fb", query: "by=malla&isStream=false")
        #expect(done?.call == .done(process: "p-1", job: "a/b") && done?.query["isStream"] == "false")
        #expect(HandlerRoute(path: "/exchange/p", query: "max=3&wait_ms=5")?.query["max"] == "3")
        #expect(HandlerRoute(path: "/v2/echo/job-take", query: nil) == nil)
        #expect(HandlerRoute(path: "/", query: nil) == nil)
    }
}
