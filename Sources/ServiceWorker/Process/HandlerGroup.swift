// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The process group of a handler: signals reach it only while its leader has not been reaped.
final class HandlerGroup: Sendable {
    private enum State {
        case starting(pending: CInt?)
        case running(pid_t)
        case over
    }

    private let state = Mutex(State.starting(pending: nil))

    /// The leader's process id while it runs.
    var leader: pid_t? {
        state.withLock {
            if case .running(let pid) = $0 { return pid }
            return nil
        }
    }

    /// The group exists now; a signal that came earlier is sent at once.
    func began(_ pid: pid_t) {
        state.withLock { state in
            if case .starting(let pending?) = state { kill(-pid, pending) }
            state = .running(pid)
        }
    }

    /// The leader has ended and is about to be reaped: what is left of the group is killed.
    func ended() {
        state.withLock { state in
            if case .running(let pid) = state { kill(-pid, SIGKILL) }
            state = .over
        }
    }

    /// Sends a signal to every process of the group.
    func signal(_ number: CInt) {
        state.withLock { state in
            switch state {
            case .starting(let pending): state = .starting(pending: pending == SIGKILL ? SIGKILL : number)
            case .running(let pid): kill(-pid, number)
            case .over: break
            }
        }
    }
}
