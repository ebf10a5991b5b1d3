// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Synchronization
internal import Workflow

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A file with a line for each run; later campaigns add to it.
final class RecordFile: Sendable {
    /// A line that is no record.
    struct Damaged: Error, CustomStringConvertible {
        let path: String
        let line: Int

        var description: String { "\(path):\(line): no record of a run" }
    }

    let path: String
    private let writing = Mutex(())

    /// Makes the file, where there is none yet, and its folder.
    ///
    /// - Throws: ``MeshFailure`` when it can't be written.
    init(path: String) throws {
        self.path = path
        let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        try TextFile.makeFolder(folder)
        try TextFile.append("", to: path)
    }

    /// Adds a record.
    ///
    /// - Throws: ``MeshFailure`` when it can't be written.
    func append(_ record: RunRecord) throws {
        try writing.withLock { _ in try TextFile.append(record.json.text + "\n", to: path) }
    }

    /// All records of a file.
    ///
    /// - Throws: ``MeshFailure`` when it can't be read, ``Damaged`` when a line is none.
    static func read(_ path: String) throws -> [RunRecord] {
        let lines = try TextFile.contents(of: path).split(separator: 10)
        return try lines.enumerated().map { index, line in
            guard let json = try? JSON(parsing: Array(line)), let record = RunRecord(json) else {
                throw Damaged(path: path, line: index + 1)
            }
            return record
        }
    }
}
