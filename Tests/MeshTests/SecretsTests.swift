// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import MallaTestKit
import Plumbing
import Testing
import Workflow

@testable import MallaChaos

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What is secret is nowhere to be read, and a killed worker leaves nothing behind.
@Suite(.timeLimit(.minutes(3)))
struct SecretsTests {
    /// Stands in every secret.
    private static let mark = "GEHEIM7f3a91"

    /// Every variable that holds a secret, each with its own.
    private static func secrets(_ port: Int) -> [String: String] {
        var values: [String: String] = [
            "DATABASE_URL": "postgresql://malla:\(mark)db@127.0.0.1:\(port)/malla",
            "AMQP_URL": "amqp://malla:\(mark)amqp@127.0.0.1:\(port)/malla",
            "REDIS_URL": "redis://malla:\(mark)redis@127.0.0.1:\(port)/0",
            "CALLBACK_SECRET": "whsec_" + Data("\(mark)callback-secret".utf8).base64EncodedString(),
        ]
        for name in [
            "POSTGRES_PASSWORD", "RABBITMQ_PASS", "REDIS_PASSWORD", "AWS_ACCESS_KEY", "AWS_SECRET_KEY",
            "AWS_SESSION_TOKEN", "MARKETPLACE_TOKEN", "AI_SERVICE_TOKEN", "MESH_TOKEN", "LLM_API_KEY",
            "QWEN_AUDIO_API_KEY", "VOXTRAL_API_KEY", "AUDIO_LLM_API_KEY", "WHISPERX_API_KEY",
        ] { values[name] = "\(mark)-\(name)" }
        return values
    }

    @Test func aWholeMeshTellsNoSecretAndLeavesNothing() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-secrets-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder + "/tmp", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try HoldingService.write(to: folder)
        try Data(Self.handler.utf8).write(to: URL(filePath: folder + "/services/hold/handler.py"))
        let (port, service) = (DistributedMesh.freePort(), DistributedMesh.freePort())
        let dead = DistributedMesh.freePort()
        let secrets = Self.secrets(dead)
        let client = MallaCall(base: "http://127.0.0.1:\(port)", token: secrets["MARKETPLACE_TOKEN"] ?? "")
        let environment = MeshServers.environment.merging(secrets) { $1 }.merging([
            "APPS_DIR": folder + "/apps", "SERVICES_DIR": folder + "/services", "HTTP_PORT": "\(service)",
            "MARKETPLACE_CALLBACK": "http://127.0.0.1:\(dead)/callback?token=\(Self.mark)query",
            "MALLA_PYTHON": TestPrograms.python, "LOG_LEVEL": "trace", "TMPDIR": folder + "/tmp",
        ]) { $1 }
        let words = [TestPrograms.malla, "dev", "--port", "\(port)", "--data", folder + "/data"]
        let mesh = try ChildProcess(words, environment: environment, log: folder + "/log")
        var said: [String: String] = [:]
        do {
            let up: Bool? = try await until(.seconds(30)) {
                (try? await client.send("GET", "/readyz")) == nil ? nil : true
            }
            try #require(up == true, "malla dev is not ready: \(text(folder + "/log").suffix(3000))")
            let quick = try await client.call("holding", "pair", HoldingService.payload(0, marks: folder + "/quick"))
            _ = try await client.end("holding", quick)
            let held = try await client.call("holding", "pair", HoldingService.payload(60, marks: folder + "/marks"))
            let seen: Bool? = try await until(.seconds(20)) {
                text(folder + "/marks").contains("\n") ? true : nil
            }
            try #require(seen == true, "the handler does not run: \(text(folder + "/log").suffix(3000))")
            said = await answers(port, service, secrets, task: held)
            said["callbacks"] = try await client.send("GET", "/tasks/\(quick)/callbacks").text
            said["explain"] = try await client.send("GET", "/tasks/\(held)/explain").text
            for words in [
                ["explain", held, "--url", client.base], ["workers", "--url", "http://127.0.0.1:\(service)"],
            ] {
                let file = folder + "/said-\(words[0])"
                _ = try await ChildProcess.finish([TestPrograms.malla] + words, environment: environment, log: file)
                said["malla \(words[0])"] = text(file)
            }
            said["command lines"] = commandLines()
        } catch {
            await mesh.stop()
            throw error
        }
        await mesh.kill()

        let report = try JSON(parsing: text(folder + "/marks"))
        let pids = [report["pid"]?.int, report["child"]?.int].compactMap(\.self)
        #expect(pids.count == 2)
        // The handler holds Python's lock inside C code and ignores SIGTERM, its child ignores it too.
        let gone: Bool? = try await until(.seconds(2)) { pids.allSatisfy(Self.hasEnded) ? true : nil }
        #expect(gone == true, "handlers outlive their worker by more than 2 s")
        let cleared: Bool? = try await until(.seconds(2)) {
            let left = try FileManager.default.contentsOfDirectory(atPath: folder + "/tmp")
            return left.contains { $0.hasPrefix("malla-") } ? nil : true
        }
        #expect(cleared == true, "a killed worker leaves its handlers' folder")
        for pid in pids where !Self.hasEnded(pid) { _ = Glibc.kill(pid_t(pid), SIGKILL) }

        #expect(report["session"] == true && report["core"] == 0, "\(report.text)")
        #expect(report["files"] == [], "inherited: \(report.text)")
        said["the handler's environment"] = report["environment"]?.text
        said["the worker's environment, read by a handler"] = report["worker"]?.text
        said["the log"] = text(folder + "/log")
        for (place, words) in said {
            #expect(!words.isEmpty || place == "command lines", "\(place) says nothing")
            let line = words.split(separator: "\n").first { tells($0) }
            #expect(line == nil, "\(place) tells a secret: \(line ?? "")")
        }
    }

    @Test func serversThatFailTellNoSecret() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-secrets-\(MeshID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let dead = DistributedMesh.freePort()
        var surroundings = [Self.secrets(dead)]
        // What can't be parsed is what libraries like to quote.
        for broken in ["\(Self.mark)%zz", "\(Self.mark) x", "\(Self.mark)@\(Self.mark)@"] {
            surroundings.append(
                Self.secrets(dead).merging([
                    "DATABASE_URL": "postgresql://malla:\(broken)@127.0.0.1:\(dead)/malla",
                    "AMQP_URL": "amqp://malla:\(broken)@127.0.0.1:\(dead)/malla",
                    "REDIS_URL": "redis://malla:\(broken)@127.0.0.1:\(dead)/0",
                ]) { $1 }
            )
        }
        if let real = wrongPasswords(dead) { surroundings.append(real) }
        for (number, secrets) in surroundings.enumerated() {
            let environment = MeshServers.environment.merging(secrets) { $1 }.merging([
                "S3_ENDPOINT": secrets["S3_ENDPOINT"] ?? "http://127.0.0.1:\(dead)", "LOG_LEVEL": "trace",
            ]) { $1 }
            for words in [["check", "--servers"], ["migrate"]] {
                let file = folder + "/\(number)-\(words[0])"
                let status = try await ChildProcess.finish(
                    [TestPrograms.malla] + words,
                    environment: environment,
                    log: file
                )
                #expect(status != 0 && status & 0x7F == 0, "malla \(words[0]) ended with \(status)")
                let line = text(file).split(separator: "\n").first { tells($0) }
                #expect(line == nil, "malla \(words[0]) tells a secret: \(line ?? "")")
            }
        }
    }

    /// The test servers with passwords that are wrong; nil where there are none.
    private func wrongPasswords(_ dead: Int) -> [String: String]? {
        let own = ProcessInfo.processInfo.environment
        guard let database = own["MALLA_TEST_POSTGRES_URL"], let broker = own["MALLA_TEST_AMQP_URL"],
            let endpoint = own["MALLA_TEST_S3_ENDPOINT"]
        else { return nil }
        var secrets = Self.secrets(dead)
        secrets["S3_ENDPOINT"] = endpoint
        for (name, url) in [("DATABASE_URL", database), ("AMQP_URL", broker)] {
            guard var parts = URLComponents(string: url) else { continue }
            parts.user = "nobody"
            parts.password = "\(Self.mark)-wrong"
            secrets[name] = parts.string
        }
        return secrets
    }

    private func tells(_ line: Substring) -> Bool {
        line.contains(Self.mark) || line.contains(Data("\(Self.mark)callback-secret".utf8).base64EncodedString())
    }

    private func text(_ file: String) -> String { (try? String(contentsOfFile: file, encoding: .utf8)) ?? "" }

    /// What both APIs answer, to good calls and to bad ones.
    private func answers(
        _ app: Int,
        _ service: Int,
        _ secrets: [String: String],
        task: String
    ) async -> [String: String] {
        let calls = [
            (app, "/metrics"), (app, "/openapi.json"), (app, "/readyz"), (app, "/holding/result/\(task)"),
            (app, "/tasks/\(task)/explain"),
            (app, "/holding/result/none"), (service, "/metrics"),
            (service, "/openapi.json"), (service, "/readyz"), (service, "/workers"), (service, "/jobs"),
            (service, "/v2/hold/status/none"),
        ]
        var said: [String: String] = [:]
        let transfer = CurlTransfer()
        for (port, path) in calls {
            let token = port == app ? secrets["MARKETPLACE_TOKEN"] : secrets["MESH_TOKEN"]
            let request = TransferRequest(
                "GET",
                "http://127.0.0.1:\(port)\(path)",
                headers: [("Authorization", "Bearer \(token ?? "")"), ("x-marketplace-token", token ?? "")],
                timeout: .seconds(10)
            )
            guard let answer = try? await transfer.send(request) else { continue }
            said["\(port == app ? "App" : "Service") API \(path)"] = String(decoding: answer.body, as: UTF8.self) + " "
        }
        return said
    }

    /// The command lines of all processes of this machine.
    private func commandLines() -> String {
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.filter { Int($0) != nil } ?? []
        return numbers.map { text("/proc/\($0)/cmdline").replacing("\0", with: " ") }.joined(separator: "\n")
    }

    private static func hasEnded(_ pid: Int) -> Bool {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return stat.isEmpty || stat.contains(") Z ")
    }

    private static let handler = """
        import os

        # First of all: what was inherited, beside the listing itself.
        NUMBERS = [number for number in os.listdir("/proc/self/fd") if int(number) > 2]
        FILES = [number for number in NUMBERS if os.path.exists("/proc/self/fd/" + number)]

        import ctypes
        import json
        import resource
        import signal
        import subprocess

        import malla


        def handler(job):
            given = job["input"]
            if not given["seconds"]:
                return {"attempt": job["attempt"]}
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen(["sleep", "1000"])
            with open("/proc/%d/environ" % os.getppid(), "rb") as file:
                worker = file.read().decode("utf-8", "replace")
            report = {
                "pid": os.getpid(), "child": child.pid, "session": os.getsid(0) == os.getpid(),
                "core": resource.getrlimit(resource.RLIMIT_CORE)[0], "environment": dict(os.environ),
                "worker": worker, "files": FILES,
            }
            with open(given["marks"], "a", encoding="utf-8") as file:
                file.write(json.dumps(report) + "\\n")
            ctypes.PyDLL(None).sleep(60)
            return {"attempt": job["attempt"]}


        if __name__ == "__main__":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            malla.serve(handler)

        """
}
