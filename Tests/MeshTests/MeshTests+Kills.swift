// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Testing
import Workflow

/// Processes that die at the worst moment.
extension MeshTests {
    @Test func aWorkerKilledInTheMiddleOfAStageIsReplaced() async throws {
        try await DistributedMesh.with(holding: true) { mesh in
            let marks = mesh.folder + "/marks"
            let task = try await mesh.client.call("holding", "hold", HoldingService.payload(2, marks: marks))
            try await HoldingService.mark("begin first", in: marks)
            try mesh.startWorker("worker-b")
            try await mesh.kill("worker-a")
            let answer = try await mesh.client.end("holding", task, within: .seconds(20))
            #expect(answer["errorCode"]?["status"]?.string == "ME_000", "\(answer.text)")
            #expect(answer["response"]?["data"]?["first"]?["attempt"]?.int == 2, "\(answer.text)")
            #expect(try await mesh.callback(of: task).status == "ME_000")
            #expect(try await mesh.client.stats("holding")["numRequestSuccess"]?.int == 1)
        }
    }

    @Test func aWorkerThatIsToldToEndFinishesWhatRuns() async throws {
        try await DistributedMesh.with(holding: true) { mesh in
            let marks = mesh.folder + "/marks"
            let task = try await mesh.client.call("holding", "pair", HoldingService.payload(1, marks: marks))
            try await HoldingService.mark("begin first", in: marks)
            try await mesh.terminate("worker-a")
            let text = try String(contentsOfFile: marks, encoding: .utf8)
            #expect(text == "begin first\nend first\n", "it began another job, or did not end its own: \(text)")
            try mesh.startWorker("worker-b")
            let answer = try await mesh.client.end("holding", task, within: .seconds(20))
            #expect(answer["errorCode"]?["status"]?.string == "ME_000", "\(answer.text)")
            for stage in ["first", "second"] {
                #expect(answer["response"]?["data"]?[stage]?["attempt"]?.int == 1, "\(answer.text)")
            }
        }
    }

    @Test func anAppAPIKilledBetweenTwoStagesGoesOn() async throws {
        try await DistributedMesh.with(holding: true) { mesh in
            let marks = mesh.folder + "/marks"
            let task = try await mesh.client.call("holding", "pair", HoldingService.payload(1, marks: marks))
            // Killed while the first stage runs: its end finds no App API, so the second waits for the next one.
            try await HoldingService.mark("begin first", in: marks)
            try await mesh.kill("app-api")
            try await HoldingService.mark("end first", in: marks)
            try mesh.startAppAPI()
            let answer = try await mesh.client.end("holding", task, within: .seconds(20))
            #expect(answer["errorCode"]?["status"]?.string == "ME_000", "\(answer.text)")
            for stage in ["first", "second"] {
                #expect(answer["response"]?["data"]?[stage]?["attempt"]?.int == 1, "\(answer.text)")
            }
            #expect(try await mesh.callback(of: task).status == "ME_000")
            #expect(try await mesh.client.stats("holding")["numRequestSuccess"]?.int == 1)
        }
    }
}
