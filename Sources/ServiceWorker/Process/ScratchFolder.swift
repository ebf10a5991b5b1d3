// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The folder in which the processes of one engine have theirs, locked as long as this process lives.
///
/// A worker that is killed leaves it behind. The next one removes it: the lock (`flock(2)`) tells the dead from the
/// living, also where they are in other containers and share the folder for temporary files.
final class ScratchFolder: Sendable {
    private static let prefix = "malla-handlers-"
    private static let lockName = "lock"
    /// A folder without a lock file is left alone this long: its owner may be about to make it.
    private static let settling: TimeInterval = 60

    private struct Held {
        var path: String
        var lock: CInt
    }

    private let parent: String
    private let held = Mutex<Held?>(nil)

    /// Makes one that has no folder yet.
    ///
    /// - Parameter parent: the folder for temporary files.
    init(in parent: String) {
        self.parent = parent
    }

    deinit {
        remove()
    }

    /// The folder; nil while there is none.
    var path: String? { held.withLock { $0?.path } }

    /// Makes the folder of one process, and before it this one where it is missing.
    ///
    /// - Returns: its path, or why it can't be made.
    func make(_ name: String) -> Result<String, ScratchFault> {
        held.withLock { held in
            if let known = held {
                let path = "\(known.path)/\(name)"
                if mkdir(path, 0o700) == 0 { return .success(path) }
                guard errno == ENOENT else { return .failure(ScratchFault(path)) }
                // Somebody cleared up: begun anew, under a new name.
                close(known.lock)
            }
            held = nil
            switch Self.claim("\(parent)/\(Self.prefix)\(MeshID())") {
            case .failure(let fault): return .failure(fault)
            case .success(let claimed):
                held = claimed
                let path = "\(claimed.path)/\(name)"
                return mkdir(path, 0o700) == 0 ? .success(path) : .failure(ScratchFault(path))
            }
        }
    }

    /// Removes the folder with all that is in it.
    func remove() {
        let last = held.withLock { held in
            defer { held = nil }
            return held
        }
        guard let last else { return }
        Self.remove(last.path)
        close(last.lock)
    }

    /// Removes what workers that are gone have left in a folder for temporary files; returns how many.
    ///
    /// Only folders of this kind, of this user, whose lock nobody holds.
    @discardableResult
    static func sweep(_ parent: String) -> Int {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: parent) else { return 0 }
        return names.filter { $0.hasPrefix(prefix) && isOrphan("\(parent)/\($0)") }.count
    }

    private static func isOrphan(_ path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() else {
            return false
        }
        let lock = open("\(path)/\(lockName)", O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard lock >= 0 else {
            guard errno == ENOENT, Double(status.changedAt) + settling < Date().timeIntervalSince1970 else {
                return false
            }
            remove(path)
            return true
        }
        defer { close(lock) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { return false }
        remove(path)
        return true
    }

    private static func claim(_ path: String) -> Result<Held, ScratchFault> {
        guard mkdir(path, 0o700) == 0 else { return .failure(ScratchFault(path)) }
        let file = "\(path)/\(lockName)"
        let lock = open(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard lock >= 0 else { return .failure(ScratchFault(file)) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            // Taken for an orphan in this very moment.
            close(lock)
            return .failure(ScratchFault(file))
        }
        return .success(Held(path: path, lock: lock))
    }

    private static func remove(_ path: String) {
        // What can't be removed is empty or a handler's own, and lies where the system clears up.
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// Why a scratch folder can't be made.
struct ScratchFault: Error, CustomStringConvertible {
    let description: String

    /// Takes the reason from `errno`.
    init(_ path: String) {
        description = "\(path) can't be made: \(String(cString: strerror(errno)))"
    }
}
