// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// Small files as text; also those of `/proc`, which tell no size.
enum TextFile {
    /// The bytes of a file, or nil when it can't be read.
    static func bytes(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = readSome(descriptor, &chunk)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// The bytes of a file that must be there.
    ///
    /// - Throws: ``MeshFailure`` with the reason when it can't be read.
    static func contents(of path: String) throws(MeshFailure) -> [UInt8] {
        errno = 0
        guard let bytes = bytes(path) else { throw failure("read", path) }
        return bytes
    }

    /// The text of a file, or nil when it can't be read.
    static func read(_ path: String) -> String? { bytes(path).map { String(decoding: $0, as: UTF8.self) } }

    /// Writes a file, in the place of one that is there.
    ///
    /// - Throws: ``MeshFailure`` with the reason when it can't be written.
    static func write(_ text: String, to path: String) throws(MeshFailure) { try put(text, to: path, O_TRUNC) }

    /// Adds to the end of a file, which is made where there is none.
    ///
    /// - Throws: ``MeshFailure`` with the reason when it can't be written.
    static func append(_ text: String, to path: String) throws(MeshFailure) { try put(text, to: path, O_APPEND) }

    /// Makes a folder, which anyone may read, and those above it.
    ///
    /// - Throws: ``MeshFailure`` with the reason when it can't be made.
    static func makeFolder(_ path: String) throws(MeshFailure) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/\(part)"
            guard mkdir(made, 0o755) == 0 || errno == EEXIST else { throw failure("make", made) }
        }
    }

    private static func put(_ text: String, to path: String, _ mode: CInt) throws(MeshFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | mode | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("write", path) }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Kernel.put($0, to: descriptor) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    /// What failed, by the kernel's last word.
    private static func failure(_ verb: String, _ path: String) -> MeshFailure {
        MeshFailure("can't \(verb) \(path): \(String(cString: strerror(errno)))")
    }

    /// Whether another process holds the lock (`flock(2)`) of a file.
    static func isLocked(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    /// The names in a folder; none when it is not there.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func readSome(_ descriptor: CInt, _ chunk: inout [UInt8]) -> Int {
        chunk.withUnsafeMutableBytes { Kernel.take(from: descriptor, into: $0) }
    }
}
