// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How long it took after faults until things went on.
struct Recovery: Sendable {
    private let evidence: Evidence
    /// The moments at which any handler was called, ascending.
    private let begins: [Double]
    /// What App APIs owed: the moment from which they did, and the moment at which they had done it.
    private let debts: [(since: Double, paid: Double)]

    init(_ evidence: Evidence) {
        self.evidence = evidence
        begins = evidence.callsByJob.values.flatMap { $0.map(\.began) }.sorted()
        debts = Self.completions(evidence) + Self.callbacks(evidence)
    }

    /// From each such fault of a worker to the next call of each job that it ran.
    ///
    /// What was called again is laid to the last fault of its worker before that under which its call was cut off: one
    /// that neither failed by itself nor ended before the fault, and after a kill its process wrote nothing more.
    func ofWorkers(after kind: Fault.Kind) -> [Double] {
        let losses = evidence.history.faults.filter { record in
            guard case .role(let role) = record.fault.target, role.kind == .worker else { return false }
            return [.kill, .freeze, .restart, .killHandlers].contains(record.fault.kind)
        }.sorted { $0.began < $1.began }
        guard losses.contains(where: { $0.fault.kind == kind }) else { return [] }
        var durations: [Double] = []
        let lastWords = evidence.lastWords
        for (job, calls) in evidence.callsByJob {
            for (call, next) in zip(calls, calls.dropFirst()) where next.attempt > call.attempt {
                guard !call.ended(.failed, .refused),
                    let loss = losses.last(where: { loss in
                        loss.began >= call.began && loss.began < next.began
                            && call.worker.map { loss.fault.target == Role(rawValue: $0).map { .role($0) } } ?? true
                            // A frozen worker's handler may still answer, and nobody hears it.
                            && (call.end.map { $0.at > loss.began - evidence.bounds.step } ?? true)
                            && (loss.fault.kind == .freeze
                                || lastWords[call.process, default: 0] < loss.began + evidence.bounds.step)
                    }), loss.fault.kind == kind, evidence.jobByID[job] != nil
                else { continue }
                durations.append(next.began - loss.began)
            }
        }
        return durations
    }

    /// From a kill of an App API to each step that was under way then and was done after it: the settlement of an
    /// answer that a handler had given, and the callback of a task that had ended.
    ///
    /// Which of several App APIs held a step is not written down anywhere, so those of all of them count; the longest
    /// are of the one that was killed. A step that outlived several kills is laid to the last of them.
    func ofAppAPIs() -> [Double] {
        let kills = evidence.history.faults.filter { record in
            guard case .role(let role) = record.fault.target, role.kind == .appAPI else { return false }
            return record.fault.kind == .kill
        }.map(\.began).sorted()
        return debts.compactMap { debt in
            guard let kill = kills.last(where: { $0 >= debt.since && $0 < debt.paid }) else { return nil }
            return debt.paid - kill
        }
    }

    /// From a handler's answer, or its failure for good, to its settlement in the ledger; those only that its worker
    /// told of at once.
    private static func completions(_ evidence: Evidence) -> [(since: Double, paid: Double)] {
        evidence.jobs.compactMap { job in
            guard job.state == "succeeded" || job.state == "failed", let paid = job.finished,
                let call = evidence.callsByJob[job.id]?.last(where: { $0.attempt == job.attempt }),
                call.ended(.answered, .failed, .refused), !evidence.mayBeLost(call, until: paid)
            else { return nil }
            return (call.lastSeen, paid)
        }
    }

    /// From a task's end to its callback's first arrival; those only that the receiver could be told of.
    private static func callbacks(_ evidence: Evidence) -> [(since: Double, paid: Double)] {
        evidence.tasks.compactMap { task in
            guard let since = task.finished, let paid = evidence.arrivals[task.id]?.first?.at,
                evidence.disturbances.end(of: .receiver, from: since, to: paid) == nil
            else { return nil }
            return (since, paid)
        }
    }

    /// From each moment at which RabbitMQ was back to the next call, where anything was waiting.
    func ofRabbit() -> [Double] {
        evidence.history.faults.compactMap { record in
            guard record.fault.target == .server(.rabbit), [.kill, .restart, .wipe].contains(record.fault.kind)
            else { return nil }
            guard let next = Self.first(of: begins, after: record.ended) else { return nil }
            // Without work there is nothing to wait for.
            let isWaiting = evidence.jobs.contains { job in
                job.created <= record.ended && evidence.end(of: job) > record.ended
            }
            return isWaiting ? next - record.ended : nil
        }
    }

    /// The first of ascending moments that is later.
    private static func first(of moments: [Double], after moment: Double) -> Double? {
        var (low, high) = (0, moments.count)
        while low < high {
            let middle = (low + high) / 2
            if moments[middle] > moment { high = middle } else { low = middle + 1 }
        }
        return low < moments.count ? moments[low] : nil
    }
}
