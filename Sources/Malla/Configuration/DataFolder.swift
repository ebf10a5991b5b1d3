// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Glibc

/// The data folder of `malla dev`, held by one process at a time.
///
/// The embedded broker lives in one process: a second one on the same ledger would take the first for dead.
struct DataFolder: ~Copyable {
    /// Where it lies.
    let path: String
    private let descriptor: Int32

    /// Makes the folder when it is not there, readable by its owner alone, and holds it until the process ends.
    ///
    /// - Throws: ``ConfigurationError`` when it can't be made, or another process holds it.
    init(path: String) throws(ConfigurationError) {
        // What is made from now on (tokens, ledger, media) is the owner's alone, in a folder that was there before too.
        umask(0o077)
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ConfigurationError("the data folder \(path) can't be made: give another (--data or MALLA_DATA)")
        }
        let descriptor = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw ConfigurationError("the data folder \(path) can't be written: \(reason); give another (--data)")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw ConfigurationError("another malla uses the data folder \(path): stop it, or give another (--data)")
        }
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}
