// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import BrokerClient
internal import Logging
internal import Plumbing

extension WorkerFloor {
    /// Declares a queue and consumes it; tries until it works, and returns nil when the calling task was cancelled first.
    ///
    /// - Parameters:
    ///   - isTransient: whether the queue goes with this worker.
    ///   - content: what is in it, for the log.
    func consume(
        _ queue: String,
        isTransient: Bool = false,
        prefetch: Int,
        of content: String,
        _ handler: @escaping @Sendable ([Delivery]) -> Void
    ) async -> (any Subscription)? {
        var failures = 0
        while !Task.isCancelled {
            do throws(BrokerError) {
                try await isTransient ? ports.broker.declareTransient(queue) : ports.broker.declare(queue)
                let opened = try await ports.broker.consume(queue, prefetch: prefetch, handler)
                guard !Task.isCancelled else {
                    await opened.cancel()
                    return nil
                }
                if failures > 0 { log.info("\(content) are consumed now", metadata: [LogKey.queue: "\(queue)"]) }
                return opened
            } catch {
                failures += 1
                log.log(
                    level: failures == 1 ? .warning : .debug,
                    "\(content) can't be consumed yet",
                    metadata: [LogKey.queue: "\(queue)", LogKey.error: "\(error)"]
                )
                do { try await Task.sleep(for: settings.retry.delay(afterFailures: failures)) } catch { return nil }
            }
        }
        return nil
    }
}
