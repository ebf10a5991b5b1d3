// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import Plumbing
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What the processes of one engine leave behind should the worker be killed, and who clears it up.
final class HandlerPlace: Sendable {
    private struct State {
        var warden: HandlerGuard?
        var groups: Set<pid_t> = []
        var hasWarned = false
    }

    private let scratch: ScratchFolder
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes one in a folder for temporary files.
    init(in folder: String, logger: Logger) {
        scratch = ScratchFolder(in: folder)
        self.logger = logger
    }

    /// Makes the folder of a process that is about to start, and sees to it that a guard is there.
    ///
    /// It may block.
    func enter(_ name: String) -> Result<String, ScratchFault> {
        let made = scratch.make(name)
        guard case .success = made else { return made }
        let mustWarn = state.withLock { state -> Bool in
            guard state.warden?.isGone ?? true else { return false }
            state.warden = HandlerGuard(folder: scratch.path ?? "")
            for group in state.groups { state.warden?.add(group) }
            defer { state.hasWarned = state.warden == nil }
            return state.warden == nil && !state.hasWarned
        }
        if mustWarn { logger.warning("no guard could be started: children of handlers may outlive a killed worker") }
        return made
    }

    /// A process has started.
    func began(_ group: pid_t) {
        state.withLock { state in
            state.groups.insert(group)
            state.warden?.add(group)
        }
    }

    /// A process and its group have ended; said before its id can be another's.
    func ended(_ group: pid_t) {
        state.withLock { state in
            state.groups.remove(group)
            state.warden?.remove(group)
        }
    }

    /// Clears up once the last process has ended.
    func leave() async {
        let warden = state.withLock { state in
            defer { state.warden = nil }
            return state.warden
        }
        await warden?.dismiss()
        scratch.remove()
    }
}
