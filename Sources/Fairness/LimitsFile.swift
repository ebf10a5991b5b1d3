// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Dispatch
internal import Plumbing
internal import Synchronization
internal import Workflow

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A file of limits that may change while the process runs; the last good version counts.
public final class LimitsFile: Sendable {
    private struct State {
        var limits: Limits
        /// What was read last, good or not; nil when it could not be read.
        var content: Data?
    }

    /// Where it is.
    public let path: String
    private let state: Mutex<State>

    /// Reads the file; blocks while it does, so at the start of a process.
    ///
    /// - Throws: ``LimitsError`` when it can't be read or holds a mistake.
    public init(path: String) throws(LimitsError) {
        self.path = path
        let content = FileManager.default.contents(atPath: path)
        state = Mutex(State(limits: try Self.read(content, path), content: content))
    }

    /// What it says.
    public var current: Limits { state.withLock { $0.limits } }

    /// Reads the file again when it has changed; `current` stays as it is when it can't be used.
    ///
    /// - Returns: whether there is something new.
    /// - Throws: ``LimitsError`` once for each version that can't be used.
    public func reread() async throws(LimitsError) -> Bool {
        let answer = OneShot<Result<Bool, LimitsError>>()
        // Files block, so not on the cooperative pool.
        DispatchQueue.global().async {
            answer.finish(.success(Result { () throws(LimitsError) in try self.readIfChanged() }))
        }
        let result: Result<Bool, LimitsError>
        do { result = try await answer.value() } catch { return false }
        return try result.get()
    }

    private func readIfChanged() throws(LimitsError) -> Bool {
        // The whole of it, not its date: two changes within one tick of a file system's clock have the same.
        let content = FileManager.default.contents(atPath: path)
        guard content != state.withLock({ $0.content }) else { return false }
        state.withLock { $0.content = content }
        let limits = try Self.read(content, path)
        state.withLock { $0.limits = limits }
        return true
    }

    private static func read(_ content: Data?, _ path: String) throws(LimitsError) -> Limits {
        guard let content else {
            throw LimitsError([DefinitionProblem(file: path, line: 0, message: "can't be read")])
        }
        return try LimitsReader.read(String(decoding: content, as: UTF8.self), file: path)
    }
}
