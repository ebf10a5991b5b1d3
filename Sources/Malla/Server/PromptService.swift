// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import ServiceLifecycle

/// A service whose tasks have a high priority, and so, on Linux, threads of their own.
///
/// Requests do not wait in line behind thousands of completions that are settled: who is refused is told so at once.
struct PromptService: Service {
    let service: any Service

    func run() async throws {
        // A child of a group would get its parent's priority, whatever it is given.
        let task = Task(priority: .high) { try await service.run() }
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
