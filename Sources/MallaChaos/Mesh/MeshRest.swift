// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// What a mesh holds when it is ready and has nothing to do.
struct MeshRest: Sendable, Hashable {
    /// Open files of each role.
    var descriptors: [Role: Int] = [:]
    /// Connections of each link.
    var connections: [Link: Int] = [:]
}

/// Folders of a mesh.
enum MeshFolder {
    /// Makes a folder and those above it; PostgreSQL, another user, may pass through them.
    static func make(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            guard mkdir(made, 0o711) == 0 || errno == EEXIST else {
                throw MeshFailure("\(made): \(String(cString: strerror(errno)))")
            }
        }
    }
}

/// What programs get of the harness's own environment.
enum PlainEnvironment {
    /// The variables that programs need to run, and no more.
    static var variables: [String: String] {
        var found: [String: String] = [:]
        for name in ["PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "MALLA_RCLONE"] {
            if let value = getenv(name) { found[name] = String(cString: value) }
        }
        return found
    }
}
