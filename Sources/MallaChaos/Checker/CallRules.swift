// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Every call of a handler is of a claim of a known job, and one at a time.
enum CallRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        for (id, calls) in evidence.callsByJob.sorted(by: { $0.key < $1.key }) {
            guard let job = evidence.jobByID[id] else {
                if isOfNoCommit(calls, evidence) { continue }
                let list = calls.prefix(3).map { evidence.words($0) }.joined(separator: "; ")
                found.add(.callIsKnown, calls.first?.key ?? id, "job \(id) is not in the ledger; \(list)")
                continue
            }
            let key = evidence.key(of: job)
            for call in calls {
                let isIts =
                    call.key == key && call.item == job.item && (job.name.map { $0 == call.stage } ?? true)
                if !isIts {
                    found.add(.callIsKnown, key, "\(evidence.words(call)) with key \(call.key), but \(job.words)")
                }
            }
            checkClaims(of: job, calls, key, evidence, &found)
            checkOverlaps(of: job, calls, key, evidence, &found)
            checkEnd(of: job, calls, key, evidence, &found)
        }
    }

    /// Whether a worker was told of a job whose commit then failed: its task had just ended, or PostgreSQL or an App API
    /// was in trouble.
    private static func isOfNoCommit(_ calls: [HandlerCall], _ evidence: Evidence) -> Bool {
        guard calls.count == 1, let call = calls.first, let tasks = evidence.tasksByKey[call.key] else { return false }
        let bounds = evidence.bounds
        let isOver = tasks.contains { task in
            guard task.verdict == .cancelled || task.verdict == .timedOut, let end = task.finished else { return false }
            return call.began > end - bounds.clocks && call.began < end + bounds.cancel + bounds.step
        }
        return isOver
            || evidence.disturbances.end(from: call.began, to: call.began, tail: bounds.recovery) {
                // What RabbitMQ delivers again may be settled by two.
                $0.isOf(api: nil, to: [.server(.postgres), .server(.rabbit)])
                    || $0.target == .server(.postgres) || $0.target == .server(.rabbit)
            } != nil
    }

    private static func checkClaims(
        of job: JobRow,
        _ calls: [HandlerCall],
        _ key: String,
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        var firstOf: [Int: HandlerCall] = [:]
        for call in calls {
            guard let first = firstOf[call.attempt] else {
                firstOf[call.attempt] = call
                continue
            }
            // A claim that PostgreSQL lost when it was killed gets its number a second time, under another lease.
            guard !evidence.mayHaveLostClaims(since: max(job.created, first.began), until: call.began) else { continue }
            found.add(.oneCallPerClaim, key, "\(job.words): \(evidence.words(first)); \(evidence.words(call))")
        }
    }

    private static func checkOverlaps(
        of job: JobRow,
        _ calls: [HandlerCall],
        _ key: String,
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        var longest: HandlerCall?
        for call in calls {
            if let older = longest, let end = older.end?.at, end > call.began, older.attempt != call.attempt,
                // Its limit passed, so its slot was taken from it while it still ran.
                call.began - older.began + evidence.bounds.clocks < job.timeout,
                !evidence.mayBeLost(older, until: call.began)
            {
                let reason = "and no fault touched \(older.worker ?? "a worker") or the ledger"
                found.add(
                    .oneCallAtATime,
                    key,
                    "\(evidence.words(older)); \(evidence.words(call)), \(reason); \(job.words)"
                )
            }
            if (call.end?.at ?? call.began) > (longest?.end?.at ?? -.infinity) { longest = call }
        }
    }

    private static func checkEnd(
        of job: JobRow,
        _ calls: [HandlerCall],
        _ key: String,
        _ evidence: Evidence,
        _ found: inout Findings
    ) {
        guard job.isFinal, let finished = job.finished, let last = calls.last else { return }
        let bounds = evidence.bounds
        guard last.began > finished + bounds.beat + bounds.step else { return }
        // A worker reads in the ledger that a job has ended: nobody else's trouble keeps it from that.
        let fault = evidence.disturbances.end(from: finished - bounds.step, to: last.began) {
            $0.isOf(worker: last.worker) || $0.isOf(.postgres, on: last.worker)
        }
        if let fault, last.began <= fault + bounds.beat + bounds.step { return }
        let late = "\(evidence.words(last)), \(Self.seconds(last.began - finished)) after the end"
        found.add(.nothingAfterTheEnd, key, "\(job.words) since \(evidence.time(finished)); \(late)")
    }

    /// A duration with milliseconds.
    static func seconds(_ duration: Double) -> String { "\((duration * 1000).rounded() / 1000) s" }
}
