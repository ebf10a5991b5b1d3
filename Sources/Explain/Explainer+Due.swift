// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

extension Explainer {
    /// Explains a job that is due and that no worker has taken yet.
    func explain(
        due job: Job,
        _ workers: [Explanation.Worker],
        _ faults: [ServerFault]
    ) async throws(LedgerError) -> Explanation {
        let alive = workers.filter(\.isAlive)
        let timings = try await ledger.timings(ofService: job.service, limit: Self.sample)
        guard !alive.isEmpty else { return nobody(job, workers, timings) }
        let takers = alive.filter { !$0.record.beat.isDraining }
        guard !takers.isEmpty else {
            let text =
                "Every worker of '\(job.service)' drains and takes nothing new. It goes on once a new worker has started."
            return Self.make(job, job.createdAt, .workersDrain, text)
        }
        if let explanation = Self.failing(job, takers) { return explanation }
        if let fault = faults.first(where: { $0.server == "broker" }), takers.allSatisfy({ !$0.record.beat.isRemote }) {
            let text = "The broker does not answer (\(fault.reason)): \(fault.effect)."
            return Self.make(job, job.createdAt, .serverDown, text)
        }
        return try await queued(job, takers, timings)
    }

    private func nobody(_ job: Job, _ workers: [Explanation.Worker], _ timings: [JobTiming]) -> Explanation {
        let service = job.service
        if case .remote = services[service]?.engine {
            let last = workers.min(by: { $0.record.age < $1.record.age })
            let isNew = timings.isEmpty && last == nil
            let seen = last.map { "\($0.record.beat.name) was heard of \(Quantity.text($0.record.age)) ago" }
            let text =
                (isNew
                    ? "No worker has ever called for jobs of '\(service)'"
                    : "No worker calls for jobs of '\(service)' now")
                + (seen.map { ": \($0)" } ?? "")
                + ". Its workers run elsewhere and call POST /api/v1/jobs/claim or the RunPod worker protocol with a token: "
                + "see docs/jobs.md."
            return Self.make(job, job.createdAt, isNew ? .noWorkerEver : .workersGone, text)
        }
        let start = "Start one: malla worker --service \(service)"
        if let last = workers.min(by: { $0.record.age < $1.record.age }) {
            let ago = Quantity.text(last.record.age)
            let text =
                "The workers of '\(service)' are gone: the last one, \(last.record.beat.name), was heard of \(ago) ago. "
                + start
            return Self.make(job, job.createdAt, .workersGone, text)
        }
        if let last = timings.first {
            let ago = Quantity.text(Timestamp.now - last.finishedAt)
            let text = "No worker of '\(service)' is there; the last job of it ended \(ago) ago. \(start)"
            return Self.make(job, job.createdAt, .workersGone, text)
        }
        let unknown = services[service] == nil ? " This API knows no service of that name: check SERVICES_DIR." : ""
        let text = "No worker has ever taken a job of '\(service)'.\(unknown) \(start)"
        return Self.make(job, job.createdAt, .noWorkerEver, text)
    }

    /// The explanation, when handlers of all workers fail to start: workers with trouble that run nothing.
    private static func failing(_ job: Job, _ takers: [Explanation.Worker]) -> Explanation? {
        let stuck = takers.filter { !$0.troubles.isEmpty && $0.jobs.isEmpty }
        guard stuck.count == takers.count, let last = stuck.flatMap(\.troubles).last else { return nil }
        let text = "The handlers of '\(job.service)' do not start: \(last.sentence)"
        return make(job, job.createdAt, .handlersFail, text)
    }

    private func queued(
        _ job: Job,
        _ takers: [Explanation.Worker],
        _ timings: [JobTiming]
    ) async throws(LedgerError) -> Explanation {
        guard let ahead = try await ledger.jobsAhead(of: job.id, limit: Self.countLimit) else {
            return Self.make(job, job.createdAt, .running, "It has just been taken; ask again.")
        }
        let now = Timestamp.now
        let ages = takers.flatMap(\.jobs).map { now - $0.startedAt }
        let slots = takers.reduce(0) { $0 + $1.record.slots(of: job.service, services[job.service]) }
        var generator = SystemRandomNumberGenerator()
        let forecast = WaitForecast(
            ahead: ahead,
            slots: slots,
            ages: ages,
            runs: timings.map(\.run),
            using: &generator
        )
        let isAtLeast = ahead >= Self.countLimit
        var text =
            ahead == 0
            ? "It is next in the queue of '\(job.service)'"
            : "\(isAtLeast ? "More than " : "")\(ahead) \(ahead == 1 ? "job is" : "jobs are") before it in the queue of "
                + "'\(job.service)'"
        text += "; \(ages.count) run on \(slots) \(slots == 1 ? "slot" : "slots")."
        if let forecast {
            text +=
                " Expect to wait \(Quantity.text(forecast.p50)) (in nine of ten cases at most \(Quantity.text(forecast.p90)))."
        } else {
            text += " No job of this service has ended yet, so the wait can't be foreseen."
        }
        if ahead > 10 * slots { text += " More workers make it shorter." }
        var explanation = Self.make(job, job.createdAt, .queued, text)
        explanation.place = .init(ahead: ahead, isAtLeast: isAtLeast, forecast: forecast)
        return explanation
    }
}

extension Explanation.Trouble {
    /// What happened, the end of what was written, and what to do.
    var sentence: String {
        let lines = output.split(whereSeparator: \.isNewline).suffix(3).joined(separator: " | ")
        let shown = lines.isEmpty ? "" : " Its last output: \(lines)."
        return "\(message).\(shown) Mend the handler; the worker starts it again by itself."
    }
}
