// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Logging
import Plumbing
import ServiceLifecycle

/// Ends a role that has been told to stop and still waits, say for a ledger that hangs.
///
/// Nothing is lost by that: what it has not written is done again by another, as after a crash. It comes last in the
/// list of services, so that it is the first to hear of the shutdown and its time is the whole of it.
struct ShutdownLimit: Service {
    /// For an API: less than Kubernetes waits before it kills (30 s).
    static let ofAPI: Duration = .seconds(20)

    let limit: Duration
    let logger: Logger

    /// Waits for the shutdown, and lets it go on; the process ends with it or at the limit.
    func run() async throws {
        var status = EXIT_SUCCESS
        do {
            try await gracefulShutdown()
        } catch {
            // Another service failed, and all are cancelled: that must not take for ever either.
            status = EXIT_FAILURE
        }
        let (limit, logger, code) = (limit, logger, status)
        // Threads of its own: what hangs may be the log, or all of the cooperative pool.
        Thread.detachNewThread {
            sleep(UInt32(clamping: limit.components.seconds))
            let written = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                logger.warning(
                    "what was under way did not end in time and is left to others",
                    metadata: [LogKey.duration: "\(Quantity.text(limit))"]
                )
                written.signal()
            }
            _ = written.wait(timeout: .now() + 1)
            // Without the handlers of exit(3), which may wait for what hangs.
            _exit(code)
        }
        Self.endAtTheNextInterrupt()
        logger.notice(
            "stopping; what is under way may end, unless it is interrupted once more",
            metadata: [LogKey.duration: "\(Quantity.text(limit))"]
        )
    }

    /// Whoever presses Ctrl-C again does not want to wait; SIGTERM is what supervisors repeat, and means the same each
    /// time.
    private static func endAtTheNextInterrupt() {
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        let began = ContinuousClock.now
        // It holds itself, to the end of the process; the status is what a shell makes of a SIGINT.
        source.setEventHandler {
            withExtendedLifetime(source) {}
            // Some that pass a signal on send it twice at once, beside the terminal.
            if .now - began > .milliseconds(500) { _exit(128 + SIGINT) }
        }
        source.resume()
    }
}
