// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Workflow

/// Tells services that jobs wait in the ledger for them.
///
/// Nothing is lost when it fails: the jobs are in the ledger, and the Service API publishes tickets for whatever is
/// due and has none.
public protocol JobHandOver: Sendable {
    /// The place that takes a service's jobs; jobs of one place travel together.
    func place(of service: String) -> String

    /// Hands jobs over; the answer names those that are not taken now.
    ///
    /// - Throws: ``HandOverFailure`` when the place could not be asked at all.
    func handOver(_ handOver: HandOver, to place: String) async throws(HandOverFailure) -> HandOver.Answer
}

/// Why a place could not be asked.
public struct HandOverFailure: Error, Sendable, CustomStringConvertible {
    /// What went wrong, without secrets.
    public let description: String

    /// Makes a failure.
    public init(_ description: String) {
        self.description = description
    }
}
