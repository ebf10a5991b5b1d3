// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import MallaChaos

@Suite struct FaultTests {
    @Test func aFaultThatHitsNothingIsTriedAgain() async throws {
        var counts = [0, 0, 2, 0]
        try await FaultInjector.untilSome(within: .seconds(120), "none") { counts.removeFirst() }
        #expect(counts == [0])
        await #expect(throws: MeshFailure.self) {
            try await FaultInjector.untilSome(within: .milliseconds(120), "none") { 0 }
        }
        await #expect(throws: CancellationError.self) {
            try await FaultInjector.untilSome(within: .seconds(10), "none") { throw CancellationError() }
        }
    }

    @Test func everyLinkIsNamedOnce() {
        #expect(Set(Link.all).count == Link.all.count)
        #expect(Link.all.count == 7 * 4 + 2 * 2)
    }
}
