// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing

/// A small file of a test's own.
enum TestFile {
    static func write(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("malla-\(MeshID()).yaml").path
        try write(text, to: path)
        return path
    }

    static func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    static func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }
}
