// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Reads a streamed answer; breaks the transfer off when it goes away first.
final class BodyReader: Sendable {
    private let engine: CurlEngine
    private let id: Int
    private let flow: BodyFlow

    init(engine: CurlEngine, id: Int, flow: BodyFlow) {
        self.engine = engine
        self.id = id
        self.flow = flow
    }

    deinit {
        guard !flow.isFinished else { return }
        let (engine, id) = (self.engine, self.id)
        Task { await engine.abandon(stream: id) }
    }

    func next() async throws -> [UInt8]? {
        do {
            guard case .bytes(let bytes, let mustResume) = try await flow.next() else { return nil }
            if mustResume { await engine.resume(stream: id) }
            return bytes
        } catch {
            await engine.abandon(stream: id)
            throw CurlTransfer.translate(error)
        }
    }
}
