// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing
import Workflow

@testable import MallaChaos

@Suite struct LoadPlanTests {
    @Test func theSameSeedGivesTheSamePlan() {
        let (one, two) = (Self.plan(7), Self.plan(7))
        #expect(one.tasks == two.tasks && one.originals == two.originals)
        #expect(one.tasks != Self.plan(8).tasks)
    }

    /// What a replay rests on: another generator or another order of draws would be another run.
    @Test func theGeneratorIsSplitMix64() {
        var seed = Seed(1_234_567)
        #expect(
            [seed.next(), seed.next(), seed.next()] == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ]
        )
    }

    @Test(arguments: [100, 150, 200])
    func everyMethodIsCalledAsOftenAsItShould(count: Int) {
        let tasks = Self.plan(3, count).tasks
        #expect(tasks.count == count)
        let methods = Dictionary(grouping: tasks, by: \.method).mapValues { $0.count * 100 / count }
        #expect(methods.count == 10)
        #expect((28...36).contains(methods["chain"] ?? 0) && (14...16).contains(methods["fan"] ?? 0), "\(methods)")
        #expect(tasks.map(\.at) == tasks.map(\.at).sorted() && tasks.allSatisfy { (0..<8).contains($0.at) })
        #expect(Set(tasks.map(\.key)).count == count && Set(tasks.map(\.user)).count == 2)
        #expect(tasks.allSatisfy { $0.payload["key"]?.string == $0.key })
        let gone = tasks.filter(\.receiverIsGone).count
        #expect(gone == count / 50)
    }

    @Test func onlyTheReceiverDiffersWhereItStays() {
        let (goes, stays) = (Self.plan(3), Self.plan(3, receiverGoes: false))
        #expect(!stays.tasks.contains(where: \.receiverIsGone) && goes.tasks.contains(where: \.receiverIsGone))
        #expect(stays.tasks.map(\.payload) == goes.tasks.map(\.payload) && stays.originals == goes.originals)
        #expect(stays.tasks.map(\.at) == goes.tasks.map(\.at))
    }

    @Test func everyVerdictIsPlanned() {
        let all = (0..<20).flatMap { Self.plan($0, 100).tasks }
        for task in all {
            #expect(task.verdicts.contains(.cancelled) == (task.cancelAfter != nil))
            #expect(task.verdicts.contains(.timedOut) == (task.deadline != nil))
            let own = task.verdicts.subtracting([.cancelled, .timedOut])
            #expect(own.count == 1 || task.deadline != nil, "\(task)")
        }
        for verdict in Verdict.allCases {
            #expect(all.contains { $0.verdicts == [verdict] } == (verdict != .cancelled), "\(verdict)")
        }
        let cancelled = all.filter { $0.cancelAfter != nil }.count * 100 / all.count
        #expect((5...12).contains(cancelled), "\(cancelled) %")
    }

    @Test(arguments: [0, 1, 2, 10])
    func smallPlansAreWhole(count: Int) {
        let tasks = Self.plan(5, count).tasks
        #expect(tasks.count == count)
        #expect(count < 10 || Set(tasks.map(\.method)).count == 10)
    }

    @Test func runsOfOneSeedShareNothing() {
        let (one, two) = (Self.plan(7, run: "x"), Self.plan(7, run: "y"))
        #expect(Set(one.tasks.map(\.key)).isDisjoint(with: two.tasks.map(\.key)))
        #expect(Set(one.tasks.map(\.user)).isDisjoint(with: two.tasks.map(\.user)))
        #expect(Set(one.originals.map(\.hash)).isDisjoint(with: two.originals.map(\.hash)))
        #expect(Set(one.originals.map(\.hash)).count == one.originals.count)
        #expect(one.tasks.map(\.method) == two.tasks.map(\.method) && one.tasks.map(\.at) == two.tasks.map(\.at))
    }

    @Test func aTaskReadsItsOwnUsersOriginals() throws {
        let plan = Self.plan(9)
        let references = plan.originals.map { "s3://bucket/\($0.user)" }
        let media = plan.tasks(with: references).filter { $0.method == "media" }
        try #require(media.count == 5)
        for task in media {
            #expect(task.payload["original"] == .string("s3://bucket/\(task.user)"))
            let hash = task.payload["hash"]?.string
            #expect(plan.originals.contains { $0.user == task.user && $0.hash == hash })
        }
        #expect(plan.tasks(with: references).map(\.key) == plan.tasks.map(\.key))
    }

    static func plan(_ seed: UInt64, _ count: Int = 100, run: String = "t", receiverGoes: Bool = true) -> LoadPlan {
        LoadPlan(
            seed: seed,
            run: run,
            tasks: count,
            over: 8,
            journal: "/journal",
            receiverGoes: receiverGoes
        )
    }
}
