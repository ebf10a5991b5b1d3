// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Testing
import Workflow

@testable import ServiceWorker

@Suite(.timeLimit(.minutes(1))) struct FaceGalleryTests {
    private struct Silent: HandlerContext {
        func progress(_ json: [UInt8]) {}
        func partial(_ json: [UInt8]) {}
    }

    private func call(
        _ handler: any NativeHandler,
        _ fixture: WorkerFixture,
        job: JobID = MeshID(),
        _ input: JSON
    ) async throws -> JSON {
        let job = Job(id: job, service: "face-gallery", createdAt: .now)
        return try await handler.run(
            input,
            context: NativeContext(job: job, media: fixture.media, ledger: fixture.ledger, trace: nil, told: Silent())
        )
    }

    private func enrolment(_ name: String, _ vector: [Double], model: String = "m") -> JSON {
        let face: JSON = ["vector": .array(vector.map { .number(JSONNumber($0)) }), "model": .string(model)]
        return ["op": "enrol", "name": .string(name), "faces": [face]]
    }

    @Test("Two workers enrol at once: nobody is lost, and each sees the other's")
    func concurrentChanges() async throws {
        let fixture = try await WorkerFixture()
        let galleries = (0..<2).map { _ in FaceGallery(ledger: fixture.ledger, media: fixture.media) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<6 {
                let handler = FaceGalleryHandler(gallery: galleries[index % 2])
                let input = enrolment("person \(index)", [1, Double(index), 0])
                group.addTask { _ = try await self.call(handler, fixture, input) }
            }
            try await group.waitForAll()
        }
        for gallery in galleries {
            let snapshot = try await gallery.current()
            #expect(snapshot.size == 6)
            #expect(snapshot.version == 6)
        }
        let found = try await call(
            FaceSearchHandler(gallery: galleries[0]),
            fixture,
            ["vector": [1, 3, 0], "model": "m", "top_k": 2, "box": [1, 2, 3, 4]]
        )
        #expect(found["matches"]?.array?.first?["name"] == "person 3")
        #expect(found["matches"]?.array?.count == 2)
        #expect(found["gallery_version"] == 6)
        #expect(found["box"] == [1, 2, 3, 4])
    }

    @Test("A repeated attempt enrols once; forgetting removes every face, and what nobody has is no error")
    func idempotent() async throws {
        let fixture = try await WorkerFixture()
        let gallery = FaceGallery(ledger: fixture.ledger, media: fixture.media)
        let handler = FaceGalleryHandler(gallery: gallery)
        let job = MeshID()
        for _ in 0..<2 {
            let answer = try await call(handler, fixture, job: job, enrolment("a", [1, 0]))
            #expect(answer == ["gallery_version": 1, "size": 1])
        }
        #expect(try await call(handler, fixture, enrolment("a", [0, 1]))["size"] == 2)
        #expect(try await call(handler, fixture, ["op": "forget", "name": "nobody"])["gallery_version"] == 2)
        #expect(try await call(handler, fixture, ["op": "forget", "name": "a"]) == ["gallery_version": 3, "size": 0])
        // Another worker, which loads the files.
        let other = FaceGallery(ledger: fixture.ledger, media: fixture.media)
        #expect(try await other.current().size == 0)
    }

    @Test("Bad input is refused in words")
    func badInput() async throws {
        let fixture = try await WorkerFixture()
        let gallery = FaceGallery(ledger: fixture.ledger, media: fixture.media)
        let handler = FaceGalleryHandler(gallery: gallery)
        _ = try await call(handler, fixture, enrolment("a", [1, 0]))
        func refusal(_ input: JSON, by handler: any NativeHandler) async -> String {
            do {
                return "\(try await call(handler, fixture, input))"
            } catch {
                let refused = error as? JobError
                return (refused?.message ?? "\(error)") + (refused?.isFinal == true ? "" : "!")
            }
        }
        #expect(await refusal(["op": "enrol", "name": "b", "faces": []], by: handler).contains("no face"))
        let face: JSON = ["vector": [1], "model": "m"]
        let two: JSON = ["op": "enrol", "name": "b", "faces": [face, face]]
        #expect(await refusal(two, by: handler).contains("2 faces"))
        #expect(await refusal(enrolment("b", [1, 2, 3]), by: handler).contains("3 numbers"))
        #expect(await refusal(["op": "burn", "name": "b"], by: handler) == "'op' is 'enrol' or 'forget'")
        let search = FaceSearchHandler(gallery: gallery)
        #expect(await refusal(["vector": [1, 2, 3], "model": "m"], by: search).contains("have 2"))
        #expect(await refusal(["vector": [0, 0], "model": "m"], by: search).contains("not all 0"))
        #expect(await refusal(["vector": ["x"], "model": "m"], by: search).contains("not all 0"))
        let none = try await call(search, fixture, ["vector": [1, 2, 3], "model": "another"])
        #expect(none == ["matches": [], "gallery_version": 1])
    }
}
