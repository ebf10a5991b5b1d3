// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A text by its bytes: Swift takes `é` and `e` with an accent for one text, to JSON they are two (RFC 8259, 8.3).
struct JSONName: Sendable, Hashable {
    let text: String

    static func == (left: JSONName, right: JSONName) -> Bool {
        // The first comparison is the fast one, the second tells apart what Unicode holds for the same text.
        left.text == right.text && left.text.utf8.elementsEqual(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
