// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Foundation
internal import Synchronization
internal import Workflow

/// A file with a line for each run; later campaigns add to it.
final class RecordFile: Sendable {
    /// A line that is no record.
    struct Damaged: Error, CustomStringConvertible {
        let path: String
        let line: Int

        var description: String { "\(path):\(line): no record of a run" }
    }

    let path: String
    private let file: Mutex<FileHandle>

    /// Opens the file, or makes it.
    init(path: String) throws {
        self.path = path
        let url = URL(filePath: path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: url) }
        let handle = try FileHandle(forWritingTo: url)
        try handle.seekToEnd()
        file = Mutex(handle)
    }

    /// Adds a record.
    func append(_ record: RunRecord) throws {
        try file.withLock { try $0.write(contentsOf: Data(record.json.bytes + [10])) }
    }

    /// All records of a file.
    static func read(_ path: String) throws -> [RunRecord] {
        let lines = try Data(contentsOf: URL(filePath: path)).split(separator: 10)
        return try lines.enumerated().map { index, line in
            guard let json = try? JSON(parsing: Array(line)), let record = RunRecord(json) else {
                throw Damaged(path: path, line: index + 1)
            }
            return record
        }
    }
}
