// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// An operation of one service whose calls may be limited, whoever makes them.
public struct LimitedEndpoint: Sendable, Hashable {
    /// The operations, as RunPod names them.
    public enum Operation: String, Sendable, Hashable, CaseIterable {
        /// Submits a job.
        case run
        /// Submits a job and waits for it.
        case runsync
        /// Reads a job.
        case status
        /// Reads a job's partial output.
        case stream
        /// Cancels a job.
        case cancel
        /// Throws away what waits.
        case purgeQueue = "purge-queue"
    }

    /// The service.
    public var service: String
    /// The operation.
    public var operation: Operation

    /// Makes an endpoint.
    public init(service: String, operation: Operation) {
        self.service = service
        self.operation = operation
    }
}
