// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Logging
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import ServiceWorker

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What a killed worker would leave behind is cleared up: at once by its guard, else by the next worker.
@Suite(.timeLimit(.minutes(1))) struct KilledWorkerTests {
    /// A folder for temporary files, removed at the end.
    private func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-scratch-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try await body(folder)
    }

    @Test func theGuardEndsGroupsAndRemovesTheFolderWhenTheWorkerIsGone() async throws {
        try await withFolder { folder in
            let inner = folder + "/with a space"
            try FileManager.default.createDirectory(atPath: inner + "/below", withIntermediateDirectories: true)
            let warden = try #require(HandlerGuard(folder: inner))
            // Two groups, each with a child, that ignore every signal that can be ignored.
            let script = "trap '' TERM HUP INT; sleep 1000 & echo $! > \"$1\"; wait"
            let groups = try (0..<2).map { try spawn(["/bin/sh", "-c", script, "sh", "\(folder)/child-\($0)"]) }
            for group in groups { warden.add(group) }
            // One has ended, and its number is no longer the guard's business.
            warden.remove(groups[1])
            let children = try await (0..<2).asyncMap { try await number(in: "\(folder)/child-\($0)") }
            // The end of the worker, as the guard sees it.
            await warden.dismiss()
            #expect(warden.isGone)
            var status: Int32 = 0
            #expect(waitpid(groups[0], &status, 0) == groups[0] && status & 0x7F == SIGKILL)
            try await until { hasEnded(children[0]) }
            #expect(waitpid(groups[1], &status, WNOHANG) == 0, "a group that was taken back is left alone")
            #expect(!FileManager.default.fileExists(atPath: inner))
            kill(-groups[1], SIGKILL)
            waitpid(groups[1], &status, 0)
        }
    }

    @Test func aHandlerOfAWorkerThatIsGoneAlreadyDoesNotBegin() async throws {
        try await withFolder { folder in
            let engine = ServiceDefinition.Engine.process(command: ["touch"], environment: [:])
            let command = HandlerCommand(
                ["/usr/bin/touch", folder + "/began"],
                listed: [:],
                definition: ServiceDefinition(name: "work", engine: engine),
                settings: ProcessEngineSettings(),
                gpu: nil,
                name: "work-0",
                token: "token",
                server: "http://127.0.0.1:9"
            )
            // Its parent is another process than the one that made the command, as after the worker's death.
            let stranger = try spawn(["/bin/sh", "-c", "\"$@\"; exit $?", "sh"] + command.arguments)
            var status: Int32 = 0
            #expect(waitpid(stranger, &status, 0) == stranger && status != 0)
            #expect(!FileManager.default.fileExists(atPath: folder + "/began"))
            let own = try spawn([command.arguments[0]] + command.arguments.dropFirst())
            #expect(waitpid(own, &status, 0) == own && status == 0)
            #expect(FileManager.default.fileExists(atPath: folder + "/began"))
        }
    }

    @Test func aNewWorkerRemovesFoldersOfDeadOnesAlone() async throws {
        try await withFolder { folder in
            let files = FileManager.default
            let living = ScratchFolder(in: folder)
            let own = try living.make("process").get()
            // One of a worker that was killed: its lock is held by nobody.
            try files.createDirectory(atPath: folder + "/malla-handlers-dead/p", withIntermediateDirectories: true)
            try Data().write(to: URL(filePath: folder + "/malla-handlers-dead/lock"))
            // One that is being made now, and others that are none.
            try files.createDirectory(atPath: folder + "/malla-handlers-new", withIntermediateDirectories: true)
            try files.createDirectory(atPath: folder + "/else/p", withIntermediateDirectories: true)
            try files.createSymbolicLink(
                atPath: folder + "/malla-handlers-link",
                withDestinationPath: folder + "/else"
            )
            try Data().write(to: URL(filePath: folder + "/malla-handlers-file"))
            #expect(ScratchFolder.sweep(folder) == 1)
            let left = try Set(files.contentsOfDirectory(atPath: folder))
            #expect(!left.contains("malla-handlers-dead"))
            #expect(left.isSuperset(of: ["malla-handlers-new", "malla-handlers-link", "malla-handlers-file", "else"]))
            #expect(files.fileExists(atPath: own) && files.fileExists(atPath: folder + "/else/p"))
            // What was cleared up by another hand is made anew.
            try files.removeItem(atPath: try #require(living.path))
            let anew = try living.make("process").get()
            #expect(files.fileExists(atPath: anew))
            living.remove()
            let rest = try files.contentsOfDirectory(atPath: folder)
            #expect(rest.count == 4)
        }
    }

    @Test func anEngineLeavesNothing() async throws {
        try await withFolder { folder in
            let code = """
                import malla, os, resource
                malla.serve(lambda job: [os.getsid(0) == os.getpid(), resource.getrlimit(resource.RLIMIT_CORE)[1]])
                """
            try await ProcessFixture.with(code) { _ in
            } settings: {
                $0.environment["TMPDIR"] = folder
            } _: { fixture in
                #expect(await fixture.run().output == [true, 0])
                let during = try FileManager.default.contentsOfDirectory(atPath: folder)
                #expect(during.count == 1)
            }
            let after = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(after.isEmpty)
        }
    }

    private func spawn(_ words: [String]) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        SpawnSettings.setFresh(&attributes)
        let arguments = words.map { (text: String) in strdup(text) } + [nil]
        defer { for text in arguments { free(text) } }
        var pid = pid_t()
        try #require(posix_spawn(&pid, words[0], nil, &attributes, arguments, [nil]) == 0)
        return pid
    }

    private func number(in file: String) async throws -> pid_t {
        try await until { (try? String(contentsOfFile: file, encoding: .utf8))?.hasSuffix("\n") == true }
        let text = try String(contentsOfFile: file, encoding: .utf8)
        return try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    private func hasEnded(_ pid: pid_t) -> Bool {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return stat.isEmpty || stat.contains(") Z ")
    }
}

extension Range where Bound == Int {
    /// The values in order, each made after the one before.
    fileprivate func asyncMap<Value>(_ body: (Int) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for number in self { values.append(try await body(number)) }
        return values
    }
}
