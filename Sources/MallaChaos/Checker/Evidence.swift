// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A history with everything found by what it belongs to, so that no rule searches.
struct Evidence: Sendable {
    let history: History
    let bounds: Bounds
    let disturbances: Disturbances
    let plan: [String: PlannedTask]
    let tasks: [TaskRow]
    let tasksByKey: [String: [TaskRow]]
    let taskByID: [String: TaskRow]
    let runsByTask: [String: [JSON]]
    let jobs: [JobRow]
    let jobByID: [String: JobRow]
    let jobsByTask: [String: [JobRow]]
    /// The calls of each job, in the order they began.
    let callsByJob: [String: [HandlerCall]]
    let callByNonce: [String: HandlerCall]
    /// The last mark of each process of handlers.
    let lastWords: [Int: Double]
    let callbacksByTask: [String: [CallbackRow]]
    /// Clients' calls by the key they are about, in the order they were sent.
    let clientCalls: [String: [ClientCall]]
    /// Arrivals by the task that their body names.
    let arrivals: [String: [CallbackArrival]]

    init(_ history: History, bounds: Bounds, found: inout Findings) {
        (self.history, self.bounds) = (history, bounds)
        disturbances = Disturbances(history.faults)
        plan = Dictionary(history.tasks.map { ($0.key, $0) }) { first, _ in first }
        tasks = Self.read(history.rows.tasks, "tasks", &found, TaskRow.init)
        jobs = Self.read(history.rows.jobs, "jobs", &found, JobRow.init)
        let callbacks = Self.read(history.rows.callbacks, "callbacks", &found, CallbackRow.init)
        tasksByKey = Dictionary(grouping: tasks, by: \.key)
        taskByID = Dictionary(tasks.map { ($0.id, $0) }) { first, _ in first }
        runsByTask = Dictionary(grouping: history.rows.runs) { $0["task"]?.string ?? "" }
        jobByID = Dictionary(jobs.map { ($0.id, $0) }) { first, _ in first }
        jobsByTask = Dictionary(grouping: jobs, by: \.task)
        let calls = Dictionary(grouping: history.marks, by: \.nonce).values.compactMap(HandlerCall.init)
        lastWords = Dictionary(history.marks.map { ($0.process, $0.at) }, uniquingKeysWith: max)
        callByNonce = Dictionary(calls.map { ($0.nonce, $0) }) { first, _ in first }
        callsByJob = Dictionary(grouping: calls, by: \.job).mapValues { calls in
            calls.sorted { ($0.began, $0.attempt) < ($1.began, $1.attempt) }
        }
        callbacksByTask = Dictionary(grouping: callbacks, by: \.task)
        clientCalls = Dictionary(grouping: history.calls, by: \.key).mapValues { calls in
            calls.sorted { ($0.began, $0.ended) < ($1.began, $1.ended) }
        }
        arrivals = Dictionary(grouping: history.callbacks) { $0.body["taskId"]?.string ?? "" }.mapValues { arrivals in
            arrivals.sorted { $0.at < $1.at }
        }
    }

    private static func read<Row>(
        _ rows: [JSON],
        _ table: String,
        _ found: inout Findings,
        _ parse: (JSON) -> Row?
    ) -> [Row] {
        rows.compactMap { row in
            let parsed = parse(row)
            if parsed == nil { found.add(.rowsAreReadable, table, String(row.text.prefix(500))) }
            return parsed
        }
    }

    /// A moment as a reader of the report finds it: seconds from the start of the run.
    func time(_ moment: Double) -> String {
        let milliseconds = Int(((moment - history.began) * 1000).rounded())
        let (sign, size) = (milliseconds < 0 ? "-" : "+", abs(milliseconds))
        let fraction = String(size % 1000)
        return "\(sign)\(size / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction + " s"
    }

    /// A moment that may not have been.
    func time(_ moment: Double?) -> String { moment.map { time($0) } ?? "never" }

    /// A call in a few words.
    func words(_ call: HandlerCall) -> String {
        let place = call.stage + (call.item.map { "[\($0)]" } ?? "")
        let end = call.end.map { "\($0.kind.rawValue) \(time($0.at))" } ?? "no end"
        return "call \(call.nonce) of \(place), attempt \(call.attempt), began \(time(call.began)), \(end)"
    }

    /// All calls of a job, for a reader.
    func words(callsOf job: JobRow) -> String {
        let calls = callsByJob[job.id] ?? []
        return calls.isEmpty ? "no calls" : calls.map { words($0) }.joined(separator: "; ")
    }

    /// Whether a claim that was made in a time may be one that PostgreSQL forgot when it was killed.
    func mayHaveLostClaims(since start: Double, until end: Double) -> Bool {
        var start = start - bounds.unflushed
        // A frozen worker calls its handler long after its claim.
        if disturbances.end(of: .frozenWorkers, from: start, to: end) != nil { start = history.began }
        return disturbances.end(of: .lostClaims, from: start, to: end) != nil
    }

    /// Whether a call's worker may have lost its job, or what it said of it, until a moment.
    func mayBeLost(_ call: HandlerCall, until end: Double) -> Bool {
        disturbances.mayLose(call.worker, from: call.began - bounds.step, to: end, tail: bounds.recovery)
    }

    /// The nonces of which one is in a job's result; none when it has not succeeded.
    func nonces(of job: JobRow?) -> Set<String> {
        guard let job, job.state == "succeeded" else { return [] }
        if let nonce = job.result?["nonce"]?.string { return [nonce] }
        // Large results lie elsewhere.
        let calls = (callsByJob[job.id] ?? []).filter { $0.attempt == job.attempt && $0.ended(.answered) }
        return Set(calls.map(\.nonce))
    }

    /// When a job or its task ended, or the run did.
    func end(of job: JobRow) -> Double { job.finished ?? taskByID[job.task]?.finished ?? history.ended }

    /// The key of a job's task, for a finding's subject.
    func key(of job: JobRow) -> String { taskByID[job.task]?.key ?? job.task }
}
