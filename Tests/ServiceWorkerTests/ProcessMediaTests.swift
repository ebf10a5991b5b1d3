// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import MediaStore
import ServiceWorker
import Synchronization
import Testing
import Workflow

/// Media through the worker.
@Suite(.timeLimit(.minutes(2)))
struct ProcessMediaTests {
    private static let code = """
        import malla
        def handler(job):
            image = malla.media.read(job["input"], field="/image")
            ref = malla.media.write(image[::-1], content_type="image/jpeg", name="../a b.jpg", origin=job["input"])
            return [len(image), ref]
        malla.serve(handler)
        """

    @Test func bytesGoBothWays() async throws {
        try await ProcessFixture.with(Self.code) { fixture in
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
            fixture.media.put("originals/x", bytes)
            let answer = await fixture.run("s3://b/originals/x").output?.array
            #expect(answer?.first == 3_000_000)
            let reference = try #require(answer?.last?.string.flatMap { MediaReference($0) })
            #expect(reference.key.hasPrefix("derived/") && reference.key.hasSuffix("/a b.jpg"))
            let stored = try #require(fixture.media.entries.withLock { $0[reference] })
            #expect(stored.bytes == bytes.reversed() && stored.type == "image/jpeg")
            #expect(stored.origin?.key == "originals/x")
        }
    }

    @Test func whatIsMissingOrNoReferenceIsTheInputsFault() async throws {
        try await ProcessFixture.with(Self.code) { fixture in
            let missing = await fixture.run("s3://b/none").error
            #expect(missing?.category == .invalidInput && missing?.field == "/image")
            #expect(missing?.message.contains("s3://b/none") == true)
            let wrong = await fixture.run("s3://b/../etc/passwd").error
            #expect(wrong?.category == .invalidInput && wrong?.message.contains("no media reference") == true)
        }
    }
}
