// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import ArgumentParser

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What a mesh is made of.
struct BinaryOptions: ParsableArguments {
    @Option(help: "The malla executable (default: the one beside this program).")
    var malla: String?

    @Option(help: "The Python that handlers run with, 3.9 or later: a path, or a name that is looked for in $PATH.")
    var python = "python3"

    /// Where `malla` must be.
    private var binary: String {
        malla.map { URL(filePath: $0).standardizedFileURL.path(percentEncoded: false) } ?? OwnProgram.beside("malla")
    }

    /// Where the Python is; nil when it is nowhere.
    private var pythonPath: String? {
        let named = URL(filePath: python).standardizedFileURL.path(percentEncoded: false)
        let folders = (PlainEnvironment.variables["PATH"] ?? "").split(separator: ":")
        let places = python.contains("/") ? [named] : folders.map { "\($0)/\(python)" }
        return places.first(where: Self.isProgram)
    }

    func validate() throws {
        guard Self.isProgram(binary) else {
            throw ValidationError("there is no executable \(binary); build it, or name one with --malla")
        }
        guard pythonPath != nil else {
            throw ValidationError("there is no executable \(python); name another Python with --python")
        }
        do { _ = try ChaosMesh.script(near: binary) } catch { throw ValidationError(error.description) }
    }

    /// The parts, each tried: their absolute paths, and the version of `malla`.
    ///
    /// - Throws: ``MeshFailure`` when one of them does not run.
    func parts() async throws -> ChaosPlace.Parts {
        let python = pythonPath ?? python
        let modern = "import sys; sys.exit(None if sys.version_info >= (3, 9) else 'it is older than 3.9')"
        _ = try await Self.run("--python \(python)", [python, "-c", modern])
        let said = try await Self.run("--malla \(binary)", [binary, "--version"])
        let version = said.split(whereSeparator: \.isNewline).first.map(String.init)
        return ChaosPlace.Parts(binary: binary, python: python, version: version)
    }

    private static func run(_ option: String, _ words: [String]) async throws -> String {
        do {
            return try await ChildProcess.run(words, environment: PlainEnvironment.variables, folder: "/tmp")
        } catch {
            throw MeshFailure("\(option) can't be used: \(error)")
        }
    }

    private static func isProgram(_ path: String) -> Bool {
        var isFolder = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder
            && FileManager.default.isExecutableFile(atPath: path)
    }
}
