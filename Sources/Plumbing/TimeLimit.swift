// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Ends work that takes too long.
public enum TimeLimit {
    /// Runs work, and cancels it when it takes longer than `limit`; returns when it has ended.
    ///
    /// - Parameter error: what the work has failed with when its time was over.
    /// - Throws: `error` when the time was over, else what the work throws; a cancelled caller cancels the work.
    public static func run<Value: Sendable>(
        _ limit: Duration,
        orThrow error: @autoclosure () -> any Error,
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        // Cancelling needs a task of its own, and a child of a group can be cancelled by nobody but the group.
        let task = Task { try await work() }
        let alarm = Alarms.shared.set(at: .now + limit) { task.cancel() }
        let result = await withTaskCancellationHandler {
            await task.result
        } onCancel: {
            task.cancel()
        }
        let isOver = !Alarms.shared.lift(alarm)
        switch result {
        case .success(let value): return value
        case .failure where isOver && !Task.isCancelled: throw error()
        case .failure(let failure): throw failure
        }
    }
}
