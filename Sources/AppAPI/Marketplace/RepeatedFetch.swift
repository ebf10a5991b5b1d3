// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto
import Ledger
import Plumbing
import ResultStore
import Workflow

/// Remembers which task a request with fetched media became, so that its repeat fetches nothing again.
///
/// A URL may be good for one read only: without this the repeat of an accepted request would be refused. It is a
/// short cut that may be lost with the result store; the ledger tells repeats apart for good.
struct RepeatedFetch: Sendable {
    let results: any ResultStore
    let timeToLive: Duration

    /// The task of the same request with the same body; nil when none is known.
    func task(app: String, user: String, request: String, fingerprint: [UInt8]) async -> TaskID? {
        do throws(ResultStoreError) {
            guard let note = try await results.get(Self.key(app, user, request)),
                Array(note.dropFirst(16)) == fingerprint
            else { return nil }
            return MeshID(bytes: note.prefix(16))
        } catch {
            return nil
        }
    }

    /// Remembers an accepted task.
    func remember(_ id: TaskID, of task: TaskRecord) {
        results.put(
            [(Self.key(task.app, task.user, task.request), id.bytes + task.fingerprint)],
            timeToLive: timeToLive
        )
    }

    /// The name of a request beside the tasks' own: no task has an id that is a digest.
    private static func key(_ app: String, _ user: String, _ request: String) -> ResultKey {
        let digest = SHA256.hash(data: Array("\(app)\0\(user)\0\(request)".utf8))
        return ResultKey(.task, MeshID(bytes: Array(digest).prefix(16)) ?? MeshID())
    }
}
