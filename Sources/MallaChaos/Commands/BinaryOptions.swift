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
    @Option(help: "The malla executable (default: beside this one).")
    var malla: String?

    @Option(help: "The Python that handlers run with.")
    var python = "python3"

    /// The parts, with their absolute paths.
    ///
    /// - Throws: `ValidationError` when there is no executable.
    func parts() throws -> ChaosPlace.Parts {
        let own = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        let path = malla.map { URL(filePath: $0).standardizedFileURL } ?? own.appending(path: "malla")
        guard FileManager.default.isExecutableFile(atPath: path.path()) else {
            throw ValidationError("there is no executable \(path.path()); build it, or name one with --malla")
        }
        return ChaosPlace.Parts(binary: path.path(), python: python)
    }
}
