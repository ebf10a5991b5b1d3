// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ends an API that has been told to stop and still waits, say for a ledger that hangs.
///
/// Nothing is lost by that: what an API has not written is done again by another, as after a crash. It comes behind the
/// HTTP server in the list of services, so that it is the first to hear of the shutdown and its time is the whole of it.
struct ShutdownLimit: Service {
    /// Less than those who stop a process usually wait before they kill it (30 s).
    var limit: Duration = .seconds(20)
    let logger: Logger

    /// Waits for the shutdown, and lets it go on; the process ends with it or at the limit.
    func run() async throws {
        try await gracefulShutdown()
        // Of no group that a shutdown waits for or cancels.
        Task.detached {
            // Nobody holds this task, so nothing can cancel the sleep.
            try? await Task.sleep(for: limit)
            logger.warning("what was under way did not end within \(limit) and is left to others")
            // Without the handlers of exit(3), which may wait for what hangs.
            _exit(0)
        }
    }
}
