// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Ends work that takes too long.
public enum TimeLimit {
    /// Runs work, and cancels it when it takes too long; returns when it has ended either way.
    ///
    /// - Parameters:
    ///   - limit: how long it may take.
    ///   - error: what is thrown when it took longer, whatever came of it then.
    ///   - work: the work; a cancelled caller cancels it as well.
    /// - Throws: `error`, or what the work throws.
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
        if isOver, !Task.isCancelled { throw error() }
        return try result.get()
    }
}
