// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import MediaStore
internal import Plumbing

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A file without a name, where a large original waits for its hash; blocking calls run on a thread of its own.
actor S3Spool {
    private let loop = LoopThread(name: "malla-spool")
    private var descriptor: CInt = -1
    private let folder: String

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(folder: String) {
        self.folder = folder
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    func append(_ bytes: [UInt8]) throws {
        if descriptor < 0 { try open() }
        try bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Self.failure("can't be written") }
                done += count
            }
        }
    }

    func read(at offset: Int, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Self.failure("can't be read") }
            guard got > 0 else { break }
            done += got
        }
        bytes.removeLast(count - done)
        return bytes
    }

    private func open() throws {
        var template = Array("\(folder)/malla-spool-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw Self.failure("can't be made") }
        // Nameless from the start, so that no crash leaves it behind.
        unlink(template)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    private static func failure(_ words: String) -> MediaError {
        MediaError(.unavailable, "the temporary file \(words): \(String(cString: strerror(errno)))")
    }
}
