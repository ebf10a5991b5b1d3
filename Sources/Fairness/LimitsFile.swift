// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// A file of limits that may change while the process runs; the last good version counts.
public final class LimitsFile: Sendable {
    private let file: WatchedFile<Limits, LimitsError>

    /// Reads the file; blocks while it does, so at the start of a process.
    ///
    /// - Throws: ``LimitsError`` when it can't be read or holds a mistake.
    public init(path: String) throws(LimitsError) {
        file = try WatchedFile(path: path) { (content, _) throws(LimitsError) in
            guard let content else {
                throw LimitsError([DefinitionProblem(file: path, line: 0, message: "can't be read")])
            }
            return try LimitsReader.read(content, file: path)
        }
    }

    /// Where it is.
    public var path: String { file.path }

    /// What it says.
    public var current: Limits { file.current }

    /// Reads the file again when it has changed; `current` stays as it is when it can't be used.
    ///
    /// - Returns: whether there is something new.
    /// - Throws: ``LimitsError`` once for each version that can't be used.
    public func reread() async throws(LimitsError) -> Bool { try await file.reread() }
}
