// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ends a C call that does not return by shutting its socket down.
///
/// A publish into a stopped broker, for one, blocks for ever in `send(2)`. The loop thread arms the watchdog before
/// the call and disarms it after; when the limit passes in between, `shutdown(2)` makes the call fail. Disarming and
/// firing share a lock, so a descriptor that has been closed or reused is never shut down. At rest no timer runs.
public final class Watchdog: Sendable {
    private struct State {
        var armed: (descriptor: CInt, deadline: ContinuousClock.Instant)?
        var isWatching = false
        var isIdle = false
        var firings = 0
    }

    private let limit: Duration
    private let state = Mutex(State())

    /// Makes a watchdog that gives a call `limit` to return.
    public init(limit: Duration) {
        self.limit = limit
    }

    /// How many calls it has ended so far.
    public var firings: Int { state.withLock { $0.firings } }

    /// Runs a blocking call on `descriptor`, which the watchdog shuts down when the call takes longer than the limit.
    public func guarding<Value>(_ descriptor: CInt, _ call: () throws -> Value) rethrows -> Value {
        arm(descriptor)
        defer { state.withLock { $0.armed = nil } }
        return try call()
    }

    private func arm(_ descriptor: CInt) {
        let deadline = ContinuousClock.now + limit
        let mustWatch = state.withLock { state in
            state.armed = (descriptor, deadline)
            state.isIdle = false
            defer { state.isWatching = true }
            return !state.isWatching
        }
        // Detached from the caller, which is a blocking thread; it ends by itself once nothing is armed.
        if mustWatch { Task.detached { await self.watch() } }
    }

    private func watch() async {
        while let instant = nextLook() {
            // Cancellation can't reach a detached task that nobody holds, so the sleep never throws.
            try? await Task.sleep(until: instant, clock: .continuous)
        }
    }

    private func nextLook() -> ContinuousClock.Instant? {
        state.withLock { state in
            guard let armed = state.armed else {
                // Stays for one more period: under load the next call comes soon and needs no new task.
                state.isWatching = !state.isIdle
                state.isIdle = true
                return state.isWatching ? ContinuousClock.now + limit : nil
            }
            if armed.deadline <= ContinuousClock.now {
                shutdown(armed.descriptor, CInt(SHUT_RDWR))
                state.firings += 1
                state.armed = nil
                state.isWatching = false
                return nil
            }
            return armed.deadline
        }
    }
}
