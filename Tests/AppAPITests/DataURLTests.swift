// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import AppAPI

@Suite struct DataURLTests {
    @Test(arguments: ["data:,%+1", "data:,%-0", "data:,%4", "data:,%", "data:,%g0", "data:;base64,%+1==", "data:"])
    func wrongEscapesAreRefused(_ text: String) {
        #expect(DataURL(text) == nil)
    }

    @Test func escapesAreRead() {
        #expect(DataURL("data:,%41+b")?.bytes == Array("A+b".utf8))
    }
}
