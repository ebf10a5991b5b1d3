// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The executable that runs.
enum OwnProgram {
    /// Its absolute path, however it was called; where there is no `/proc`, the name that it was called by.
    static var path: String {
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return link ?? CommandLine.arguments[0]
    }

    /// The path of a program in the folder that it is in.
    static func beside(_ name: String) -> String {
        let folder = URL(filePath: path).resolvingSymlinksInPath().deletingLastPathComponent()
        return folder.appending(path: name).path(percentEncoded: false)
    }
}
