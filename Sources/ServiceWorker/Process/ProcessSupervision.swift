// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// When one handler process is started, ended and started again: decisions only, ``HandlerSeat`` carries them out.
struct ProcessSupervision: Sendable {
    /// Where the process stands.
    enum Phase: Sendable, Hashable {
        /// Not started yet.
        case idle
        /// Started; has not asked for a job yet and must have until then.
        case starting(until: ContinuousClock.Instant)
        /// Has asked for jobs.
        case ready
        /// Was told to end; killed when it has not by then, and then started again or not.
        case stopping(until: ContinuousClock.Instant, again: Bool)
        /// Was killed; its end is waited for.
        case killed(again: Bool)
        /// Waits for its next start.
        case backingOff(until: ContinuousClock.Instant)
        /// Over for good.
        case ended
    }

    /// What is to be done.
    enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Start the process.
        case spawn
        /// Ask the process to end.
        case terminate
        /// End the process by force.
        case kill
        /// Start-up took too long: end the process by force and report it.
        case killLate
        /// It is over for good.
        case finish
    }

    private(set) var phase = Phase.idle
    /// Starts in a row that served no job.
    private(set) var failures = 0
    private let startupTimeout: Duration
    private let grace: Duration
    private let backoff: Backoff

    init(startupTimeout: Duration, grace: Duration, backoff: Backoff) {
        self.startupTimeout = startupTimeout
        self.grace = grace
        self.backoff = backoff
    }

    /// When ``tick(_:)`` is due next, if it is.
    var wake: ContinuousClock.Instant? {
        switch phase {
        case .starting(let until), .stopping(let until, _), .backingOff(let until): until
        case .idle, .ready, .killed, .ended: nil
        }
    }

    /// The first start.
    mutating func start(_ now: ContinuousClock.Instant) -> Action {
        guard phase == .idle else { return .none }
        return spawn(now)
    }

    /// The process asked for a job; tells whether it was the first time.
    mutating func asked() -> Bool {
        guard case .starting = phase else { return false }
        phase = .ready
        return true
    }

    /// The process handed in a result: the next failure counts as the first.
    mutating func served() {
        failures = 0
    }

    /// The process is to be replaced: it asked for it.
    mutating func retire(_ now: ContinuousClock.Instant) -> Action {
        switch phase {
        case .starting, .ready:
            phase = .stopping(until: now + grace, again: true)
            return .terminate
        case .idle, .stopping, .killed, .backingOff, .ended: return .none
        }
    }

    /// The process must go at once, and another takes its place: a job in it does not stop.
    mutating func kill() -> Action {
        switch phase {
        case .starting, .ready, .stopping(_, true):
            phase = .killed(again: true)
            return .kill
        case .stopping(_, false):
            phase = .killed(again: false)
            return .kill
        case .idle, .killed, .backingOff, .ended: return .none
        }
    }

    /// The end of it all.
    mutating func end(_ now: ContinuousClock.Instant) -> Action {
        switch phase {
        case .idle, .backingOff:
            phase = .ended
            return .finish
        case .starting, .ready:
            phase = .stopping(until: now + grace, again: false)
            return .terminate
        case .stopping(let until, _):
            phase = .stopping(until: until, again: false)
            return .none
        case .killed:
            phase = .killed(again: false)
            return .none
        case .ended: return .none
        }
    }

    /// The process has ended.
    mutating func exited(_ now: ContinuousClock.Instant) -> Action {
        switch phase {
        case .starting, .ready: return backOff(now)
        case .stopping(_, true), .killed(true): return failures == 0 ? spawn(now) : backOff(now)
        case .stopping(_, false), .killed(false):
            phase = .ended
            return .finish
        case .idle, .backingOff, .ended: return .none
        }
    }

    /// A time limit may have passed.
    mutating func tick(_ now: ContinuousClock.Instant) -> Action {
        guard let wake, wake <= now else { return .none }
        switch phase {
        case .starting:
            failures += 1
            phase = .killed(again: true)
            return .killLate
        case .stopping(_, let again):
            phase = .killed(again: again)
            return .kill
        case .backingOff: return spawn(now)
        case .idle, .ready, .killed, .ended: return .none
        }
    }

    private mutating func spawn(_ now: ContinuousClock.Instant) -> Action {
        phase = .starting(until: now + startupTimeout)
        return .spawn
    }

    private mutating func backOff(_ now: ContinuousClock.Instant) -> Action {
        // A start that took too long has been counted when it was killed.
        if case .killed = phase {} else { failures += 1 }
        phase = .backingOff(until: now + backoff.delay(afterFailures: failures))
        return .none
    }
}
