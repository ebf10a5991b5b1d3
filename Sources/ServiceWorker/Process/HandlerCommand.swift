// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What a handler's process is started with: program, environment and folder.
struct HandlerCommand: Sendable, Hashable {
    /// The program and its arguments, wrappers for the limits included.
    var arguments: [String]
    /// The whole environment of the process.
    var environment: [String: String]
    /// The folder it runs in.
    var folder: String
    /// The process's own name.
    var name: String

    /// Puts together the command of one process.
    ///
    /// - Parameters:
    ///   - gpu: the GPU it shall see; nil hides them all.
    ///   - name: the process's own name in the protocol (`RUNPOD_POD_ID`).
    ///   - token: what it authenticates with.
    ///   - server: where the worker listens, `http://127.0.0.1:PORT`.
    init(
        _ command: [String],
        listed: [String: String],
        definition: ServiceDefinition,
        settings: ProcessEngineSettings,
        gpu: Int?,
        name: String,
        token: String,
        server: String
    ) {
        folder = definition.folder.isEmpty ? "." : definition.folder
        self.name = name
        arguments = Self.withPython(command, settings.python)
        // Not for a worker that was killed before the kernel knew that the handler shall end with it. And no core
        // dumps: they would hold other people's inputs, in a folder that nobody looks after.
        var limits = "[ \"$PPID\" = \(getpid()) ] && ulimit -c 0"
        if let limit = definition.memoryLimit { limits += " && ulimit -v \(max(1, limit / 1024))" }
        if access("/bin/sh", X_OK) == 0 || definition.memoryLimit != nil {
            arguments = ["/bin/sh", "-c", "\(limits) && exec \"$@\"", "sh"] + arguments
        }
        // Should the worker be killed, the kernel ends the handler too: the RunPod package would poll for ever.
        if access("/usr/bin/setpriv", X_OK) == 0 {
            arguments = ["/usr/bin/setpriv", "--pdeathsig", "SIGKILL", "--"] + arguments
        }
        environment = Self.ownEnvironment(listed, settings)
        if listed["CUDA_VISIBLE_DEVICES"] == nil { environment["CUDA_VISIBLE_DEVICES"] = gpu.map(String.init) ?? "" }
        environment.merge(Self.protocolEnvironment(definition, name, token, server)) { $1 }
    }

    private static func withPython(_ command: [String], _ python: String?) -> [String] {
        guard let python, let program = command.first, program == "python3" || program == "python" else {
            return command
        }
        return [python] + command.dropFirst()
    }

    private static func ownEnvironment(
        _ listed: [String: String],
        _ settings: ProcessEngineSettings
    ) -> [String: String] {
        let mesh = settings.environment
        var own = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"]
        for name in ["PATH", "HOME", "LANG", "TMPDIR"] {
            if let value = mesh[name] { own[name] = value }
        }
        if let python = settings.python, let slash = python.lastIndex(of: "/") {
            own["PATH"] = "\(python[..<slash]):\(own["PATH", default: ""])"
        }
        for (name, value) in listed { own[name] = mesh[name] ?? value }
        if let modules = settings.modules {
            own["PYTHONPATH"] = listed["PYTHONPATH"] == nil ? modules : "\(modules):\(own["PYTHONPATH", default: ""])"
        }
        return own
    }

    /// The variables of the protocol; the RunPod package appends `&…` to every URL, so each has a query.
    private static func protocolEnvironment(
        _ definition: ServiceDefinition,
        _ name: String,
        _ token: String,
        _ server: String
    ) -> [String: String] {
        let base = "\(server)/v2/\(definition.name)"
        var variables = [
            "RUNPOD_WEBHOOK_GET_JOB": "\(base)/job-take/$ID?by=malla",
            "RUNPOD_WEBHOOK_POST_OUTPUT": "\(base)/job-done/$RUNPOD_POD_ID/$ID?by=malla",
            "RUNPOD_WEBHOOK_POST_STREAM": "\(base)/job-stream/$RUNPOD_POD_ID/$ID?by=malla",
            "RUNPOD_WEBHOOK_PING": "\(base)/ping/$RUNPOD_POD_ID?by=malla",
            "RUNPOD_PING_INTERVAL": "10000",
            "RUNPOD_AI_API_KEY": token,
            "RUNPOD_POD_ID": name,
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
            "RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS": "1",
            "MALLA_EXCHANGE_URL": "\(server)/exchange/$RUNPOD_POD_ID",
            "MALLA_MEDIA_URL": "\(server)/media",
            "MALLA_CONCURRENCY": String(definition.concurrency),
        ]
        if definition.batchMaxSize > 1 { variables["MALLA_BATCH_MAX_SIZE"] = String(definition.batchMaxSize) }
        return variables
    }
}
