// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import Foundation
import Plumbing
import Testing
import Workflow

@Suite struct LimitsFileTests {
    private func limits(_ text: String) throws -> Limits {
        let path = try TestFile.write(text)
        defer { TestFile.remove(path) }
        return try LimitsFile(path: path).current
    }

    private func problems(_ text: String) throws -> [String] {
        let path = try TestFile.write(text)
        defer { TestFile.remove(path) }
        do {
            _ = try LimitsFile(path: path)
            return []
        } catch {
            return error.problems.map { "\($0.line): \($0.message)" }
        }
    }

    @Test func everythingIsRead() throws {
        let limits = try limits(
            """
            default: {requests_per_second: 50, burst: 100, waiting_jobs: 1000}
            users:
              acme: {weight: 3, requests_per_second: 0.5, running_jobs: 4}
              market/tiny: {waiting_jobs: 0}
            tokens:
              partner: {requests_per_second: 10}
            endpoints: {run: 1000, purge-queue: 2}
            """
        )
        let acme = limits.allowance(ofUser: "market/acme")
        #expect(acme == limits.allowance(ofUser: "acme"))
        #expect(acme.weight == 3 && acme.requestsPerSecond == 0.5 && acme.runningJobs == 4 && acme.waitingJobs == 1000)
        #expect(acme.burst == nil, "a burst belongs to the rate beside which it was written")
        #expect(limits.allowance(ofUser: "market/tiny").waitingJobs == 0)
        #expect(limits.allowance(ofUser: "market/tiny").burst == 100)
        #expect(limits.allowance(ofUser: "shop/tiny") == limits.byDefault)
        #expect(limits.weight(ofUser: "nobody") == 1 && limits.weight(ofUser: "acme") == 3)
        #expect(limits.tokens["partner"]?.waitingJobs == nil, "defaults are users', not tokens'")
        #expect(limits.endpoints == [.run: 1000, .purgeQueue: 2])
    }

    @Test(arguments: ["", "# all off\n\n  # users:\n", "users:\ntokens: {}\n"])
    func nothingIsNoLimit(_ text: String) throws {
        #expect(try limits(text) == Limits())
    }

    @Test func mistakesAreToldWithTheirLines() throws {
        #expect(
            try problems("user: {}\n")[0].hasPrefix("1: the file has the unknown key 'user'; did you mean 'users'?")
        )
        let several = try problems(
            """
            users:
              acme: {weigth: 3}
              fast: {requests_per_second: -1}
              odd: {waiting_jobs: many}
              lone:
                burst: 5
            tokens:
              t: {weight: 2}
            endpoints:
              runs: 5
            """
        )
        #expect(several.count == 6, "\(several)")
        #expect(
            several.contains { $0.hasPrefix("2: user 'acme' has the unknown key 'weigth'; did you mean 'weight'?") }
        )
        #expect(
            several.contains { $0.hasPrefix("3: user 'fast' has -1 as 'requests_per_second'; it must be a number") }
        )
        #expect(
            several.contains { $0.hasPrefix("4: user 'odd' has \"many\" as 'waiting_jobs'; it must be a whole number") }
        )
        #expect(several.contains { $0.hasPrefix("6: user 'lone' has a 'burst' without") })
        #expect(several.contains { $0.hasPrefix("8: token 't' has the unknown key 'weight'") })
        #expect(several.contains { $0.hasPrefix("10: 'endpoints' has the unknown key 'runs'; did you mean 'run'?") })
        #expect(try problems("users: [a, b]\n")[0].hasPrefix("1: 'users' is a list; it must be a map"))
        #expect(try problems("users: {a: {}, a: {}}\n")[0].contains("twice"))
        #expect(try problems("- x\n: y: z")[0].contains("is no YAML"))
        #expect(throws: LimitsError.self) { try LimitsFile(path: "/nowhere/limits.yaml") }
    }

    @Test func aChangedFileIsReadAgainAndABadOneIsNot() async throws {
        let path = try TestFile.write("default: {waiting_jobs: 1}\n")
        defer { TestFile.remove(path) }
        let file = try LimitsFile(path: path)
        #expect(try await !file.reread())
        try TestFile.write("default: {waiting_jobs: 2}\n", to: path)
        #expect(try await file.reread())
        #expect(file.current.byDefault.waitingJobs == 2)
        try TestFile.write("default: {waiting_jobs: two}\n", to: path)
        await #expect(throws: LimitsError.self) { try await file.reread() }
        #expect(try await !file.reread(), "one mistake is told once")
        #expect(file.current.byDefault.waitingJobs == 2)
        TestFile.remove(path)
        await #expect(throws: LimitsError.self) { try await file.reread() }
        #expect(file.current.byDefault.waitingJobs == 2)
        try TestFile.write("default: {waiting_jobs: 3}\n", to: path)
        #expect(try await file.reread())
        #expect(file.current.byDefault.waitingJobs == 3)
    }
}
