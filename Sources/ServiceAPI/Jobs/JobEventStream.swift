// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import ResultStore
import ServiceLifecycle
import Workflow

/// The events of one job for one reader: what stands in the ledger and what its handlers tell, in their order.
///
/// The state comes first and after every change. What a handler tells comes from the stream of its lease, so nothing of
/// a stale attempt is ever shown; a final state comes after all that its attempt told.
struct JobEventStream {
    private let desk: JobDesk
    private var record: JobRecord
    private var place: EventPlace?
    /// What the last `state` event told.
    private var told: Told?
    private var readAt = ContinuousClock.now
    private var wroteAt = ContinuousClock.now
    /// What a lease that is over told to the end.
    private var pending: String?
    private var isOver = false

    private struct Told: Equatable {
        var state: JobState
        var attempt: Int
        var lease: LeaseID?
        var failures: Int
    }

    /// How often handlers' streams are looked at; their writers tell nobody.
    private static let look: Duration = .milliseconds(100)
    /// How often the ledger is asked; the end of a job is told at once.
    private static let ask: Duration = .milliseconds(500)
    /// How long nothing may come before a comment shows that the stream lives.
    private static let silence: Duration = .seconds(15)
    private static let page = 200

    /// How long to wait between two looks while so many jobs are waited for.
    ///
    /// All streams together ask the ledger and the result store a bounded number of times a second, or a thousand would
    /// slow down everybody's jobs. Ends are told at once.
    static func pauses(streams: Int) -> (look: Duration, ask: Duration) {
        (max(look, .milliseconds(2 * streams)), max(ask, .milliseconds(4 * streams)))
    }

    init(desk: JobDesk, record: JobRecord, place: EventPlace?) {
        self.desk = desk
        self.record = record
        self.place = place
    }

    /// The next events as text, at least a comment after a while; nil at the end.
    ///
    /// - Throws: `CancellationError`, `LedgerError`.
    mutating func next() async throws -> String? {
        if isOver { return nil }
        while true {
            try Task.checkCancellation()
            // A process that stops ends its streams; their readers come back elsewhere with the last id.
            if Task.isShuttingDownGracefully { return nil }
            if let text = await tellings() { return say(text) }
            if present != told { return say(try state(), changed: true) }
            if ContinuousClock.now - wroteAt > Self.silence { return say(": still here\n\n") }
            try await rest()
        }
    }

    private var present: Told {
        Told(
            state: record.job.state,
            attempt: record.job.attempt,
            lease: record.job.lease,
            failures: record.job.failures
        )
    }

    private mutating func say(_ text: String, changed: Bool = false) -> String {
        wroteAt = .now
        if changed {
            told = present
            isOver = record.job.state.isFinal
        }
        return text
    }

    /// Waits until it is worth looking again, and asks the ledger when it is time.
    private mutating func rest() async throws {
        let id = record.job.id
        let (look, ask) = Self.pauses(streams: desk.ends.count)
        let pause = record.job.state == .running ? look : ask
        let mustAsk = try await desk.ends.listening(for: id) { waiter in
            let timer = ContinuousClock.now
            try await waiter.value(within: pause)
            // Woken early: the job has ended.
            return ContinuousClock.now - timer < pause
        }
        guard mustAsk || ContinuousClock.now - readAt >= ask else { return }
        readAt = .now
        let fresh = try await desk.find(id)
        // What the old lease told to the end comes before the change.
        if fresh.job.lease != record.job.lease || fresh.job.state != record.job.state {
            pending = await rest(ofLease: record.job)
        }
        record = fresh
    }

    /// What the handler told since the last look; nil when there is nothing.
    private mutating func tellings() async -> String? {
        if let text = pending {
            pending = nil
            return text
        }
        // An attempt's state comes before what it tells; the final state after it, seen while it ran or not.
        guard told?.lease == record.job.lease || record.job.state.isFinal else { return nil }
        return await read(record.job)
    }

    private mutating func rest(ofLease job: Job) async -> String? {
        var text = ""
        while let more = await read(job) { text += more }
        return text.isEmpty ? nil : text
    }

    private mutating func read(_ job: Job) async -> String? {
        guard let lease = job.lease else { return nil }
        let after = place.flatMap { $0.attempt == job.attempt ? $0.entry : nil }
        let entries: [(id: String, value: [UInt8])]
        do {
            let key = ResultKey(.events, job.id, lease: lease)
            entries = try await desk.parts.results.entries(of: key, after: after, limit: Self.page)
        } catch {
            // The store is away: states still come, from the ledger.
            return nil
        }
        guard let last = entries.last else { return nil }
        place = EventPlace(attempt: job.attempt, entry: last.id)
        let text = entries.compactMap { entry -> String? in
            guard let event = HandlerEvent(bytes: entry.value) else { return nil }
            let id = EventPlace(attempt: job.attempt, entry: entry.id).text
            return Self.event(event.kind.rawValue, id: id, String(decoding: event.json, as: UTF8.self))
        }
        return text.joined()
    }

    private func state() throws -> String {
        let isFinal = record.job.state.isFinal
        let json = isFinal ? try JobForm.json(of: record) : JobForm.json(of: record.job)
        guard case .object(var object) = json else { return "" }
        // Whoever listens knows what he sent, and it may be large.
        object["input"] = nil
        return Self.event("state", id: nil, JSON.object(object).text)
    }

    static func event(_ name: String, id: String?, _ data: String) -> String {
        // JSON that was written elsewhere may have line breaks between its members. Only these end a line of the stream;
        // other newlines of Unicode may stand in a text.
        let lines = data.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
            .joined(separator: "\ndata: ")
        return (id.map { "id: \($0)\n" } ?? "") + "event: \(name)\ndata: \(lines)\n\n"
    }
}
