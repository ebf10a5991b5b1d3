// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// Ends work that takes too long.
enum TimeLimit {
    /// Runs work, and cancels it when it takes longer than this.
    ///
    /// - Throws: ``UpstreamFailure`` when the time is over, `CancellationError` when the caller is cancelled, else what
    ///   the work throws.
    static func run<Value: Sendable>(
        _ limit: Duration,
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw UpstreamFailure(.passing, "it took longer than \(Quantity.text(limit))")
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}
