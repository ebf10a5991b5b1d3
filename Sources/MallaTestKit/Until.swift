// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Testing

/// Waits until something is so: for what no event tells about.
///
/// - Throws: what `condition` throws, and a failed expectation when it is not so after 30 s.
public func until(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "it is not so after 30 s", sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(5))
    }
}
