// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Logging
import Plumbing
import Testing

@testable import Fairness

@Suite(.timeLimit(.minutes(1))) struct TokensFileTests {
    @Test func aFileStandsInForWhatItNames() throws {
        let text = """
            # tokens of November
              MARKETPLACE_TOKEN = shop@store:one , two\r
            MESH_TOKEN=a=b:c
            """
        let path = try TestFile.write(text)
        defer { TestFile.remove(path) }
        let file = try TokensFile(path: path)
        #expect(file.entries(.marketplace) == ["shop@store:one", "two"] && file.entries(.mesh) == ["a=b:c"])
        #expect(file.tokens(.marketplace)?.holder(of: "one") == .init(name: "shop", apps: ["store"]))
        #expect(file.tokens(.marketplace)?.holder(of: "two") == .init(name: "default"))
        #expect(file.tokens(.service) == nil && file.entries(.service) == nil)
    }

    @Test(arguments: [
        "", "# nothing\n", "MARKETPLACE_TOKEN=\n", "MARKETPLACE_TOKEN= , \n", "hunter2\n", "TOKEN=hunter2\n",
        "MESH_TOKEN=a\nMESH_TOKEN=hunter2\n", "marketplace_token=hunter2\n", "export MESH_TOKEN=hunter2\n",
    ])
    func aMistakeIsToldWithoutTheToken(_ text: String) throws {
        let path = try TestFile.write(text)
        defer { TestFile.remove(path) }
        do {
            _ = try TokensFile(path: path)
            Issue.record("it must be refused")
        } catch {
            #expect(error.description.hasPrefix(path) && !error.description.contains("hunter2"))
        }
    }

    @Test func aChangedFileIsReadAgainAndABadOneIsNot() async throws {
        let path = try TestFile.write("MARKETPLACE_TOKEN=old\nAI_SERVICE_TOKEN=s\n")
        defer { TestFile.remove(path) }
        let file = try TokensFile(path: path)
        func isTaken(_ token: String) -> Bool { file.tokens(.marketplace)?.name(of: token) != nil }
        #expect(try await !file.reread() && isTaken("old"))
        try TestFile.write("MARKETPLACE_TOKEN=new,old\nAI_SERVICE_TOKEN=s\n", to: path)
        #expect(try await file.reread() && isTaken("old") && isTaken("new"))
        try TestFile.write("MARKETPLACE_TOKEN=new\nAI_SERVICE_TOKEN=s\nMESH_TOKEN=m\n", to: path)
        #expect(try await file.reread() && !isTaken("old") && isTaken("new"))
        // Without its list a job API would be open, and the environment's tokens would be back.
        for mistake in ["MARKETPLACE_TOKEN=other\nMESH_TOKEN=m\n", "MARKETPLACE_TOKEN=\n", "oops"] {
            try TestFile.write(mistake, to: path)
            await #expect(throws: TokensError.self) { try await file.reread() }
            #expect(try await !file.reread(), "one mistake is told once")
            #expect(isTaken("new") && !isTaken("other") && file.tokens(.service)?.name(of: "s") != nil)
        }
        TestFile.remove(path)
        await #expect(throws: TokensError.self) { try await file.reread() }
        #expect(isTaken("new"))
    }

    @Test func itIsReadAgainByItself() async throws {
        let path = try TestFile.write("MESH_TOKEN=old\n")
        defer { TestFile.remove(path) }
        let file = try TokensFile(path: path, interval: .milliseconds(1))
        let running = Task { try await file.run() }
        try TestFile.write("MESH_TOKEN=new\n", to: path)
        while file.tokens(.mesh)?.name(of: "new") == nil { await Task.yield() }
        running.cancel()
        try await running.value
    }
}
