// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// A handler in Swift that runs inside the worker.
///
/// It must not block its thread; long work yields now and then and looks for cancellation.
public protocol NativeHandler: Sendable {
    /// Runs one attempt.
    ///
    /// - Throws: `JobError` to say how it failed; any other error counts as a failure of the handler.
    func run(_ input: JSON, context: NativeContext) async throws -> JSON
}
