// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import MediaStore

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// An open file, closed when the last holder lets go of it; reads and writes block.
final class MediaFile: Sendable {
    let path: String
    private let descriptor: CInt

    /// Opens a file for reading; nil when there is none.
    init?(reading path: String) throws(MediaError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw Self.failure("open", path) }
    }

    /// Makes a file that must not exist yet.
    init(creating path: String) throws(MediaError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("make", path) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    func size() throws(MediaError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure("look at", path) }
        return Int(status.st_size)
    }

    func write(_ bytes: [UInt8]) throws(MediaError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                #if canImport(Glibc)
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                #else
                Darwin.write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                #endif
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("write", path) }
            done += count
        }
    }

    /// At most `count` bytes from `offset` on; none at the end.
    func read(at offset: Int, count: Int) throws(MediaError) -> [UInt8] {
        while true {
            var got = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                got = pread(descriptor, buffer.baseAddress, count, off_t(offset))
                filled = max(0, got)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Self.failure("read", path) }
            return bytes
        }
    }

    func sync() throws(MediaError) {
        guard fsync(descriptor) == 0 else { throw Self.failure("sync", path) }
    }

    static func failure(_ verb: String, _ path: String) -> MediaError {
        let reason = String(cString: strerror(errno))
        return MediaError(.unavailable, "can't \(verb) \(path.split(separator: "/").last ?? ""): \(reason)")
    }
}
