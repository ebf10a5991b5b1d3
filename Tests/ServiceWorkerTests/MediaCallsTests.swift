// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Synchronization
import Testing

@testable import ServiceWorker

/// Media on their way to a handler.
@Suite(.timeLimit(.minutes(1)))
struct MediaCallsTests {
    private enum Step: Hashable {
        case wrote(Int)
        case waited, ended
    }

    /// A connection that takes all it is given, as one does until its loop says that it is full.
    private final class Connection: ResponseBodyWriter, Sendable {
        let steps = Mutex<[Step]>([])

        func write(_ buffer: ByteBuffer) async throws { note(.wrote(buffer.readableBytes)) }

        func finish(_ trailingHeaders: HTTPFields?) async throws { note(.ended) }

        func note(_ step: Step) { steps.withLock { $0.append(step) } }
    }

    @Test func eachPieceWaitsUntilTheLoopHasComeByTheOneBefore() async throws {
        let media = ProcessMedia()
        media.put("x", [UInt8](repeating: 7, count: 250_000))
        let route = try #require(HandlerRoute(path: "/v2/tested/media", query: "ref=s3://b/x"))
        let connection = Connection()
        let response = await MediaCalls(media: media, settings: ProcessEngineSettings()).read(route) {
            connection.note(.waited)
        }
        #expect(response.status == .ok && response.body.contentLength == 250_000)
        try await response.body.write(connection)
        #expect(
            connection.steps.withLock { $0 } == [
                .wrote(100_000), .waited, .wrote(100_000), .waited, .wrote(50_000), .waited, .ended,
            ]
        )
    }
}
