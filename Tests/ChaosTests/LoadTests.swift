// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Testing
import Workflow

@testable import MallaChaos

/// The whole load on a mesh where nothing fails: every method means what the plan says.
@Suite(.timeLimit(.minutes(3)))
struct LoadTests {
    @Test func onAHealthyMeshEveryTaskEndsAsPlanned() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-load-\(MeshID())").path()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let secret = "whsec_bWVzaC10ZXN0LW1lc2gtdGVzdC1tZXNo"
        let receiver = try await Receiver.start(secrets: [secret])
        let dev = try await EmbeddedChaos.start(folder, callback: receiver.port, secret: secret)
        do {
            let plan = LoadPlan(seed: 4, run: "smoke", tasks: 40, over: 3, journal: folder + "/journal")
            // One of two App APIs never answers: the clients turn to the other.
            let client = ChaosClient(apis: [dev.base, dev.absent], token: dev.token)
            let load = Load(plan, client: client)
            try await load.prepare()
            receiver.refuse(load.gone)
            await load.run()
            #expect(load.accepted.count == 40 && load.calls.contains { $0.kind == .submit && $0.status == nil })
            #expect(await load.settle(within: .seconds(40)) == [], "not ended: \(dev.said)")
            try Self.ends(load)
            try Self.answers(load, try HandlerJournal.read(folder + "/journal"))
            try await Self.callbacks(load, receiver)
            let numbers = await load.statistics().values
            for (name, verdict) in [("Success", Verdict.succeeded), ("Cancelled", .cancelled), ("TimedOut", .timedOut)]
            {
                let told = numbers.reduce(0) { $0 + ($1["numRequest" + name]?.int ?? -100) }
                #expect(told == load.ended.values.count { $0 == verdict }, "\(name)")
            }
            let hashes = await load.originalHashes()
            #expect(hashes.count == 4 && hashes.allSatisfy { $0.key == $0.value })
            await client.close()
        } catch {
            await dev.stop()
            throw error
        }
        await dev.stop()
        await receiver.stop()
    }

    private static func ends(_ load: Load) throws {
        for task in load.tasks {
            let verdict = try #require(load.ended[task.key], "\(task.key)")
            #expect(task.verdicts.contains(verdict), "\(task.method) \(verdict): \(final(load, task.key).text)")
            guard task.deadline != nil, task.cancelAfter == nil else { continue }
            let seconds = task.payload["do"]?["first"]?["seconds"]?.double ?? 0
            if seconds < 1 { #expect(verdict == .succeeded, "a deadline of 2 s and \(seconds) s of work") }
        }
        #expect(Set(load.tasks.map(\.method)).count == 10)
        #expect(Set(load.ended.values) == Set(Verdict.allCases))
    }

    /// What a task's data holds is what handlers wrote down that they answered, and came of the calls it names.
    private static func answers(_ load: Load, _ marks: [HandlerMark]) throws {
        let answered = Dictionary(grouping: marks.filter { $0.kind == .answered }, by: \.nonce)
        #expect(answered.values.allSatisfy { $0.count == 1 })
        #expect(marks.allSatisfy { $0.worker == "worker-1" }, "a handler reads its worker off its folders")
        #expect(Set(marks.filter { $0.kind == .began }.map(\.nonce)).count == marks.count { $0.kind == .began })
        for task in load.tasks {
            let own = marks.filter { $0.key == task.key }
            if load.ended[task.key] == .succeeded {
                let nonces = Self.nonces(final(load, task.key)["response"]?["data"] ?? .null)
                #expect(!nonces.isEmpty, "\(task.method)")
                for nonce in nonces { #expect(answered[nonce]?.first?.key == task.key, "\(task.method) \(nonce)") }
                let sources = own.filter { $0.kind == .answered }.flatMap { Self.texts($0.answer["from"] ?? .null) }
                for nonce in sources { #expect(answered[nonce]?.first?.key == task.key, "\(task.method) \(nonce)") }
            }
            guard task.cancelAfter == nil else { continue }
            switch task.method {
            case "poison": #expect(own.map(\.kind) == [.began, .began] && Set(own.map(\.job)).count == 1)
            case "retry":
                let wanted = task.payload["do"]?["first"]?["n"]?.int ?? 0
                let failed = own.count { $0.stage == "first" && $0.kind == .failed }
                let refused = own.count { $0.stage == "first" && $0.kind == .refused }
                let isHopeless = task.payload["do"]?["first"]?["kind"]?.string == "fail-always"
                #expect(failed == (isHopeless ? 3 : wanted) && refused <= 1)
            case "big":
                #expect((own.first { $0.stage == "first" && $0.kind == .answered }?.answer["fillerHash"]) != nil)
                #expect(own.contains { $0.stage == "last" && $0.kind == .answered })
            case "deadline" where load.ended[task.key] == .timedOut:
                let isDeaf = task.payload["do"]?["first"]?["deaf"]?.bool == true
                #expect(own.contains { $0.kind == .stopped } != isDeaf || own.contains { $0.kind == .answered })
            default: break
            }
        }
    }

    private static func callbacks(_ load: Load, _ receiver: Receiver) async throws {
        let ids = Set(load.accepted.values)
        let limit = ContinuousClock.now + .seconds(10)
        while Set(receiver.arrivals.compactMap { $0.body["taskId"]?.string }) != ids, ContinuousClock.now < limit {
            try await Task.sleep(for: .milliseconds(50))
        }
        let arrivals = Dictionary(grouping: receiver.arrivals) { $0.body["taskId"]?.string ?? "" }
        for task in load.tasks {
            let own = arrivals[try #require(load.accepted[task.key])] ?? []
            #expect(own.count == 1 && own.allSatisfy(\.isSigned), "\(task.key): \(own.count)")
            #expect(own.first?.answered == (task.receiverIsGone ? 410 : 204))
            #expect(own.first.flatMap { Verdict(envelope: $0.body) } == load.ended[task.key])
            #expect(own.first?.body["requestId"]?.string == task.key)
        }
    }

    private static func final(_ load: Load, _ key: String) -> JSON {
        load.calls.last { $0.kind == .poll && $0.key == key && $0.verdict != nil }?.answer ?? .null
    }

    private static func nonces(_ json: JSON) -> [String] {
        if let own = json["nonce"]?.string { return [own] }
        return (json.array ?? json.object?.members.map(\.value) ?? []).flatMap(nonces)
    }

    private static func texts(_ json: JSON) -> [String] {
        json.string.map { [$0] } ?? (json.array ?? []).flatMap(texts)
    }
}
