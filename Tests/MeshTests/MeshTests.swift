// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import MallaChaos

/// The mesh end to end: every role a process of its own, on real servers.
@Suite(.serialized, .needs(.privateServers), .meshServers, .timeLimit(.minutes(5)))
struct MeshTests {
    @Test func fiftyChainsEachEndOnceWithOneCallback() async throws {
        try await DistributedMesh.with { mesh in
            let tasks = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await mesh.client.call("bench", "bench-3", ["number": .number(JSONNumber(number))])
                    }
                }
                return try await group.reduce(into: [String]()) { $0.append($1) }
            }
            #expect(Set(tasks).count == 50)
            var numbers: Set<Int> = []
            for task in tasks {
                let answer = try await mesh.client.end("bench", task)
                #expect(answer["errorCode"]?["status"]?.string == "BE_000", "\(answer.text)")
                let data = answer["response"]?["data"]
                for stage in ["stage1", "stage2", "stage3"] { #expect(data?[stage]?.bool == true, "\(answer.text)") }
                if let number = data?["number"]?.int { numbers.insert(number) }
            }
            #expect(numbers == Set(0..<50))
            for task in tasks { #expect(try await mesh.callback(of: task).status == "BE_000") }
            let callbacks = mesh.receiver.callbacks
            #expect(
                callbacks.count == 50 && Set(callbacks.map(\.id)).count == 50
                    && Set(callbacks.map(\.task)) == Set(tasks)
            )
            let stats = try await mesh.client.stats("bench")
            #expect(stats["numRequestSuccess"]?.int == 50 && stats["numRequestFailed"]?.int == 0, "\(stats.text)")
        }
    }

    @Test func aRealPhotographIsIdentified() async throws {
        try await DistributedMesh.with { mesh in
            let pictures = mesh.folder + "/pictures"
            let made = try await ChildProcess.finish(
                [TestPrograms.python, MeshServers.root + "/demo/gallery.py", pictures],
                environment: MeshServers.environment,
                log: mesh.folder + "/gallery.log"
            )
            try #require(made == 0, "demo/gallery.py failed: MALLA_PYTHON needs scikit-image")
            let list = try JSON(parsing: Array(Data(contentsOf: URL(filePath: pictures + "/gallery.json"))))
            let expected = try #require(list["expected"]?.string)
            let person = try #require(list["people"]?.array?.first { $0["name"]?.string == expected })
            let portrait = try await upload(pictures, try #require(person["image"]?.string), "portrait.png", mesh)
            let photograph = try await upload(pictures, try #require(list["photo"]?.string), "photo.png", mesh)
            let app = "face-recognition"

            let enrol = try await mesh.client.call(
                app,
                "enrol",
                ["name": .string(expected), "image": .string(portrait)]
            )
            let enrolled = try await mesh.client.end(app, enrol, within: .seconds(60))
            #expect(enrolled["errorCode"]?["status"]?.string == "FR_000", "\(enrolled.text)")

            let identify = try await mesh.client.call(app, "identify", ["image": .string(photograph)])
            let answer = try await mesh.client.end(app, identify, within: .seconds(60))
            #expect(answer["errorCode"]?["status"]?.string == "FR_000", "\(answer.text)")
            let parts = try #require(answer["response"]?["data"]?.array, "\(answer.text)")
            let faces = parts.first { $0["dataType"]?.string == "META_DATA" }?["data"]?["faces"]?.array
            #expect(faces?.count == 1, "\(answer.text)")
            #expect(faces?.first?["matches"]?.array?.first?["name"]?.string == expected, "\(answer.text)")
            let picture = parts.first { $0["dataType"]?.string == "S3_OBJECT" }?["data"]?["url"]?.string
            let bytes = try await mesh.client.download(try #require(picture, "\(answer.text)"))
            #expect(bytes.starts(with: [0xFF, 0xD8]), "the annotated picture is a JPEG")
            #expect(try await mesh.callback(of: identify).status == "FR_000")
        }
    }

    private func upload(
        _ folder: String,
        _ file: String,
        _ name: String,
        _ mesh: DistributedMesh
    ) async throws -> String {
        let bytes = Array(try Data(contentsOf: URL(filePath: folder + "/" + file)))
        return try await mesh.client.upload(name, bytes, type: "image/png")
    }
}
