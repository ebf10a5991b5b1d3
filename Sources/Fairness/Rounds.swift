// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import ServiceLifecycle

/// Something that is done over and over until a graceful shutdown or cancellation.
enum Rounds {
    /// Waits until the process is to end.
    static func end() async {
        // It throws when the task is cancelled, which is an end as well.
        do { try await gracefulShutdown() } catch { return }
    }

    /// Runs `round`, waits, and so on; returns when the process is to end.
    static func run(every interval: Duration, _ round: @escaping @Sendable () async -> Void) async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await round()
                do { try await Task.sleep(for: interval) } catch { return }
            }
        }
    }
}
