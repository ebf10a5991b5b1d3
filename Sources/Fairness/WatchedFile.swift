// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Dispatch
internal import Plumbing
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A file that may change while the process runs; what its last good version says counts.
final class WatchedFile<Value: Sendable, Failure: Error>: Sendable {
    /// Makes a value of the file's content, nil when it can't be read, and of the value before.
    typealias Reading = @Sendable (_ content: String?, _ before: Value?) throws(Failure) -> Value

    private struct State {
        var value: Value
        /// What was read last, good or not; nil when it could not be read.
        var content: Data?
    }

    let path: String
    private let reading: Reading
    private let state: Mutex<State>

    /// Reads the file; blocks while it does, so at the start of a process.
    init(path: String, reading: @escaping Reading) throws(Failure) {
        self.path = path
        self.reading = reading
        let content = FileManager.default.contents(atPath: path)
        state = Mutex(State(value: try reading(Self.text(content), nil), content: content))
    }

    /// What it says.
    var current: Value { state.withLock { $0.value } }

    /// Reads the file again when it has changed; `current` stays as it is when it can't be used.
    ///
    /// - Returns: whether there is something new.
    /// - Throws: what is wrong with it, once for each version that can't be used.
    func reread() async throws(Failure) -> Bool {
        let answer = OneShot<Result<Bool, Failure>>()
        // Files block, so not on the cooperative pool.
        DispatchQueue.global().async {
            answer.finish(.success(Result { () throws(Failure) in try self.readIfChanged() }))
        }
        let result: Result<Bool, Failure>
        do { result = try await answer.value() } catch { return false }
        return try result.get()
    }

    private func readIfChanged() throws(Failure) -> Bool {
        // The whole of it, not its date: two changes within one tick of a file system's clock have the same.
        let content = FileManager.default.contents(atPath: path)
        guard content != state.withLock({ $0.content }) else { return false }
        state.withLock { $0.content = content }
        let value = try reading(Self.text(content), current)
        state.withLock { $0.value = value }
        return true
    }

    private static func text(_ content: Data?) -> String? { content.map { String(decoding: $0, as: UTF8.self) } }
}
