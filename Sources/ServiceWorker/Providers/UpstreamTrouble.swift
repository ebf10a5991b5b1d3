// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Synchronization
internal import Workflow

/// What keeps the jobs of upstreams from being done: what is not configured, and the last failure since a success.
final class UpstreamTrouble: Sendable {
    private let fixed: [EngineTrouble]
    private let last = Mutex<EngineTrouble?>(nil)

    init(_ fault: JobError?) {
        fixed = fault.map { [EngineTrouble(at: .now, message: $0.message, output: "")] } ?? []
    }

    var list: [EngineTrouble] { fixed + (last.withLock { $0 }.map { [$0] } ?? []) }

    func failed(_ error: JobError) {
        // The input's fault says nothing about the upstreams.
        guard error.category != .invalidInput else { return }
        last.withLock { $0 = EngineTrouble(at: .now, message: error.message, output: "") }
    }

    func succeeded() { last.withLock { $0 = nil } }
}
