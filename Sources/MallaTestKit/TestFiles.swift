// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Foundation

/// The files that tests write.
public enum TestFiles {
    /// Writes texts to paths below a folder, and makes the folders of the paths.
    ///
    /// - Throws: what Foundation throws when a file can't be written.
    public static func write(_ texts: [String: String], below folder: String) throws {
        for (path, text) in texts {
            let file = URL(filePath: folder + "/" + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(text.utf8).write(to: file)
        }
    }
}
