// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

struct AllocatorTests {
    /// What it does to memory is seen in `make soak`.
    @Test func everySettingIsTaken() {
        #expect(Allocator.returnFreedMemory())
    }
}
