// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// How long it took after faults until things went on.
struct Recovery: Sendable {
    private let evidence: Evidence
    /// The moments at which any handler was called, ascending.
    private let begins: [Double]
    /// The moments at which an App API did something: a submit answered, a task ended; ascending.
    private let steps: [Double]

    init(_ evidence: Evidence) {
        self.evidence = evidence
        begins = evidence.callsByJob.values.flatMap { $0.map(\.began) }.sorted()
        let answers = evidence.history.calls.filter { $0.kind == .submit && $0.isAnswered }.map(\.ended)
        steps = (answers + evidence.tasks.compactMap(\.finished)).sorted()
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

    /// From each kill of an App API to the next step of any task.
    func ofAppAPIs() -> [Double] {
        evidence.history.faults.compactMap { record in
            guard case .role(let role) = record.fault.target, role.kind == .appAPI, record.fault.kind == .kill
            else { return nil }
            return Self.first(of: steps, after: record.began).map { $0 - record.began }
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
