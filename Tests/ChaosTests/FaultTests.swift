// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import MallaChaos

@Suite struct FaultTests {
    @Test func everyLinkIsNamedOnce() {
        #expect(Set(Link.all).count == Link.all.count)
        #expect(Link.all.count == 7 * 4 + 2 * 2)
    }
}
