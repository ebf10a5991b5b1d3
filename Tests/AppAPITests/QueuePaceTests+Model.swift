// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Testing

@testable import AppAPI

extension QueuePaceTests {
    /// A mesh of services in a row, in steps of 10 ms, read by its App APIs as they do.
    private struct Mesh {
        /// Jobs a second of each service, and how many jobs of it each job before it makes.
        var services: [(rate: Double, fan: Int)]
        /// How many completions a second the App APIs settle.
        var settling = Double.infinity
        var apis = 1
        /// When the first App API reads.
        var offset = 0.0

        var open: [Int] = []
        /// Jobs of each service that were done and are not settled yet; for the ledger they run.
        var unsettled: [Int] = []
        var asked: [String: Int] = [:]
        var taken: [String: Int] = [:]
        var refused: [Int] = []
        var begins = 0
        var done = 0
        var most = 0.0
        var lastRefusal = 0.0

        /// The seconds that the busiest service, or the settling, needs for what is open.
        var seconds: Double {
            var (longest, jobs, completions) = (0.0, 0.0, 0.0)
            for (index, service) in services.enumerated() {
                jobs = jobs * Double(service.fan) + Double(open[index])
                longest = max(longest, jobs / service.rate)
                jobs += Double(unsettled[index])
                completions += jobs
            }
            return max(longest, completions / settling)
        }

        /// The jobs of tasks that were taken and have not ended.
        var rest: Int { open.reduce(0, +) + unsettled.reduce(0, +) }

        /// Jobs of the last service were settled, and the task of each last one of a fan-out ends.
        private mutating func end(_ count: Int, _ paces: inout [QueuePace]) {
            let fan = services.reduce(1) { $0 * $1.fan }
            for number in done / fan..<(done + count) / fan { paces[number % apis].end("w", 1) }
            done += count
        }

        mutating func run(_ seconds: Int, arrive: (Double) -> [(user: String, api: Int)]) {
            let start = ContinuousClock.now
            let names = services.indices.map { "s\($0)" }
            var paces = Array(repeating: QueuePace(patience: .seconds(5)), count: apis)
            open = services.map { _ in 0 }
            unsettled = open
            var settled = 0.0
            refused = paces.map { _ in 0 }
            var (created, budgets) = (open, services.map { _ in 0.0 })
            var known = paces.map { _ in open }
            var readAt = paces.map { _ in -9.0 }
            for tick in 0..<seconds * 100 {
                let (time, now) = (Double(tick) / 100, start + .milliseconds(10 * tick))
                for index in services.indices.reversed() {
                    let rate = services[index].rate
                    budgets[index] = min(budgets[index] + rate / 100, rate / 20 + 1)
                    let count = min(open[index], Int(budgets[index]))
                    budgets[index] -= Double(count)
                    open[index] -= count
                    unsettled[index] += count
                }
                settled = min(settled + settling / 100, settling / 20 + 1)
                // Each service's completions have their part of it, as they come in one queue.
                let part = min(1, settled / Double(max(1, unsettled.reduce(0, +))))
                for index in services.indices.reversed() {
                    let count = min(unsettled[index], Int((Double(unsettled[index]) * part).rounded(.up)))
                    settled -= Double(count)
                    unsettled[index] -= count
                    guard index + 1 < services.count else {
                        end(count, &paces)
                        continue
                    }
                    open[index + 1] += count * services[index + 1].fan
                    created[index + 1] += count * services[index + 1].fan
                }
                for (user, api) in arrive(time) {
                    asked[user, default: 0] += 1
                    guard paces[api].decide(workflow: "w", services: names, user: user, at: now) == .taken else {
                        (refused[api], lastRefusal) = (refused[api] + 1, time)
                        continue
                    }
                    taken[user, default: 0] += 1
                    open[0] += services[0].fan
                    created[0] += services[0].fan
                }
                for api in paces.indices {
                    let age = time - readAt[api] + 0.001
                    guard age >= 1 && time >= offset + Double(api) * 0.37 || age >= 0.5 && paces[api].isPressed else {
                        continue
                    }
                    for (index, name) in names.enumerated() {
                        let (running, fresh) = (min(open[index], 20), created[index] - known[api][index])
                        paces[api].learn(
                            name,
                            waiting: open[index] - running,
                            running: running + unsettled[index],
                            created: fresh,
                            at: now
                        )
                    }
                    paces[api].learn(completions: unsettled.reduce(0, +), at: now)
                    (known[api], readAt[api]) = (created, time)
                    if paces[api].judge(["w": names], at: now) == ["w": .began] { begins += 1 }
                }
                most = max(most, self.seconds)
            }
        }
    }

    /// How many calls come in the 10 ms from this moment.
    private static func calls(_ rate: Double, _ time: Double) -> Int {
        Int((time + 0.01) * rate + 1e-6) - Int(time * rate + 1e-6)
    }

    @Test(arguments: [(2000, 0.0), (2000, 0.3), (3200, 0.1), (3200, 0.3), (3200, 0.6)])
    func aBurstOnAMeshThatHasLittleToDoIsTakenWhole(calls: Int, offset: Double) {
        var mesh = Mesh(services: [(1000, 1)], offset: offset)
        mesh.run(40) { time in
            let burst = time >= 20 && time < 20.4 ? calls / 40 : 0
            return Array(repeating: ("ann", 0), count: Self.calls(30, time))
                + Array(repeating: ("bob", 0), count: burst)
        }
        #expect(mesh.refused == [0] && mesh.begins == 0 && mesh.asked["bob"] == calls)
    }

    @Test(arguments: [1000.0, 40])
    func whatIsTakenOfTasksThatFanOutIsWhatCanBeDone(first: Double) {
        // 50 tasks a second come; each makes 30 jobs of the second service, which can do ten tasks a second.
        var mesh = Mesh(services: [(first, 1), (300, 30)])
        mesh.run(300) { time in (0..<Self.calls(50, time)).map { ("u\($0 % 20)", 0) } }
        #expect(mesh.most < 10, "\(mesh.most) s")
        #expect(mesh.done > 300 * 280, "the mesh was not kept busy: \(mesh.done)")
    }

    @Test func usersWhoComeWhenTheyAreToldToAreServedBesideAFlood() {
        var mesh = Mesh(services: [(500, 1)])
        mesh.run(60) { time in
            let tick = Int(time * 100 + 0.5)
            var calls = Array(repeating: (user: "flood", api: 0), count: Self.calls(5000, time))
            if tick > 1500, tick % 1013 == 0 { calls.append(("ann", 0)) }
            if tick > 1500, tick % 173 == 0 { calls.append(("bob", 0)) }
            return calls
        }
        #expect(mesh.taken["ann"] == mesh.asked["ann"] && mesh.taken["bob"] == mesh.asked["bob"])
        #expect(mesh.most < 11 && mesh.done > 500 * 56, "\(mesh.most) s, \(mesh.done)")
    }

    @Test(arguments: [2, 10])
    func ofTwoAppAPIsBesideEachOtherNoneMisjudges(one: Int) {
        var mesh = Mesh(services: [(1000, 1)], apis: 2)
        var number = 0
        mesh.run(60) { time in
            // 900 a second, now more, now fewer; one in so many at the second App API.
            let rate = time.truncatingRemainder(dividingBy: 10) < 5 ? 990.0 : 810
            return (0..<Self.calls(rate, time)).map { _ in
                number += 1
                return ("ann", number.isMultiple(of: one) ? 1 : 0)
            }
        }
        #expect(mesh.refused == [0, 0])
    }

    @Test(arguments: [20.0, 50, 100, 200])
    func whatIsSlowDoesNotFlap(rate: Double) {
        var mesh = Mesh(services: [(rate, 1)])
        mesh.run(120) { time in (0..<Self.calls(3 * rate, time)).map { ("u\($0 % 20)", 0) } }
        #expect((1...20).contains(mesh.begins), "\(mesh.begins)")
        #expect(mesh.done > Int(rate * 115))
    }

    @Test(arguments: [(apis: 1, users: 50), (apis: 1, users: 1000), (apis: 3, users: 50)])
    func tenTimesTheRateKeepsTheQueueShortAndTheMeshBusy(apis: Int, users: Int) {
        var mesh = Mesh(services: [(350, 1), (350, 1), (350, 1)], apis: apis, offset: 0.5)
        var number = 0
        mesh.run(110) { time in
            (0..<Self.calls(time >= 10 && time < 70 ? 3500 : 87, time)).map { _ in
                number += 1
                return ("u\(number * 7919 % users)", number % apis)
            }
        }
        #expect(mesh.most < 11, "\(mesh.most) s")
        #expect(mesh.lastRefusal < 73, "\(mesh.lastRefusal)")
        // Busy for the minute of the flood, and all is done at its end.
        #expect(mesh.done > 350 * 58 + 87 * 45 && mesh.rest < 20, "\(mesh.done)")
    }

    @Test func aFloodAtOneOfTwoAppAPIsKeepsTheMeshBusy() {
        // The other one settles half of the tasks.
        var mesh = Mesh(services: [(350, 1), (350, 1)], apis: 2)
        mesh.run(110) { time in
            let rate = time >= 10 && time < 70 ? 3500.0 : 40
            return (0..<Self.calls(rate, time)).map { ("u\($0 % 20)", 0) }
                + Array(repeating: ("ann", 1), count: Self.calls(20, time))
        }
        #expect(mesh.most < 11, "\(mesh.most) s")
        #expect(mesh.taken["ann"] ?? 0 > 2100, "\(mesh.taken["ann"] ?? 0) of 2200")
        #expect(mesh.done > 350 * 50 + 60 * 45, "\(mesh.done)")
    }

    @Test(arguments: [1, 3])
    func completionsThatWaitToBeSettledAreAQueueAsWell(apis: Int) {
        // The services could do ten times what the App APIs can settle: 400 tasks a second of three jobs.
        var mesh = Mesh(services: [(4000, 1), (4000, 1), (4000, 1)], settling: 1200, apis: apis, offset: 0.5)
        var number = 0
        mesh.run(110) { time in
            (0..<Self.calls(time >= 10 && time < 70 ? 4000 : 100, time)).map { _ in
                number += 1
                return ("u\(number % 50)", number % apis)
            }
        }
        #expect(mesh.most < 11, "\(mesh.most) s")
        #expect(mesh.lastRefusal < 73, "\(mesh.lastRefusal)")
        #expect(mesh.done > 400 * 58 + 100 * 45 && mesh.rest < 20, "\(mesh.done)")
    }
}
