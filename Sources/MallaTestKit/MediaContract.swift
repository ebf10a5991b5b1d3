// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import MediaStore

/// What every media store has to do, whatever lies behind it.
public struct MediaContract: Sendable {
    /// What a check found wrong.
    public struct Violation: Error, CustomStringConvertible {
        /// What should have been.
        public let description: String
    }

    private let store: any MediaStore
    private let run: String

    /// Makes the contract for a store; `run` keeps the keys of one run apart from those of others.
    public init(store: any MediaStore, run: String) {
        self.store = store
        self.run = run
    }

    /// Checks everything.
    public func check() async throws {
        try await store.ping()
        try await sizes()
        try await originalsStay()
        try await limits()
        try await offsets()
        try await oddKeys()
        try await brokenSources()
        try await missing()
    }

    private func sizes() async throws {
        let part = 5 << 20
        for size in [0, 1, part - 1, part, part + 1, 20 << 20] {
            let source = MediaSource(size: size)
            let key = "derived/\(run)/size-\(size)"
            let stored = try await store.store(
                source.stream(),
                key: key,
                contentType: "image/png",
                origin: nil,
                limit: size
            )
            try await expect(stored.size == size && stored.reference.key == key, "\(size) bytes are stored as such")
            let attributes = try await store.stat(stored.reference)
            try await expect(
                attributes == MediaAttributes(size: size, contentType: "image/png"),
                "size and type of \(size) bytes are known, not \(String(describing: attributes))"
            )
            let content = try await store.read(stored.reference, offset: 0)
            try await expect(try await source.matches(content.bytes, from: 0), "\(size) bytes come back")
            let original = try await store.storeOriginal(source.stream(), contentType: "image/png", limit: size)
            try await expect(original.sha256 == stored.sha256, "the same bytes have the same SHA-256")
            try await expect(
                original.reference.key == "originals/\(original.sha256).png",
                "an original lies under its SHA-256"
            )
            let again = try await store.read(original.reference, offset: 0)
            try await expect(try await source.matches(again.bytes, from: 0), "an original of \(size) bytes comes back")
            try await store.delete(stored.reference)
            try await store.delete(stored.reference)
            try await expect(try await store.stat(stored.reference) == nil, "what is deleted is gone")
        }
    }

    private func originalsStay() async throws {
        let bytes = Array("an original of \(run)".utf8)
        let first = try await store.storeOriginal(MediaSource.stream(of: bytes), contentType: "text/plain", limit: 100)
        let second = try await store.storeOriginal(MediaSource.stream(of: bytes), contentType: "text/plain", limit: 100)
        try await expect(first == second, "an original that is there is left alone")
        try await withThrowingTaskGroup(of: StoredMedia.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await store.storeOriginal(
                        MediaSource.stream(of: bytes + [1]),
                        contentType: "text/plain",
                        limit: 100
                    )
                }
            }
            var seen: Set<StoredMedia> = []
            for try await stored in group { seen.insert(stored) }
            try await expect(seen.count == 1, "eight writers of one original agree")
        }
    }

    private func limits() async throws {
        for size in [11, (16 << 20) + 1] {
            let key = "derived/\(run)/too-large"
            let code = await failure {
                _ = try await store.store(
                    MediaSource(size: size).stream(),
                    key: key,
                    contentType: "image/png",
                    origin: nil,
                    limit: size - 1
                )
            }
            try await expect(code == .tooLarge, "more than the limit is too large, not \(String(describing: code))")
            let left = try await store.stat(MediaReference(bucket: try bucket(), key: key))
            try await expect(left == nil, "nothing is left of what was too large")
            let original = await failure {
                _ = try await store.storeOriginal(
                    MediaSource(size: size).stream(),
                    contentType: "image/png",
                    limit: size - 1
                )
            }
            try await expect(original == .tooLarge, "an original has a limit too")
        }
    }

    private func offsets() async throws {
        let source = MediaSource(size: 1_000_000)
        let stored = try await store.store(
            source.stream(),
            key: "derived/\(run)/offsets",
            contentType: "video/mp4",
            origin: nil,
            limit: 1_000_000
        )
        for offset in [0, 1, 65_536, 999_999, 1_000_000] {
            let content = try await store.read(stored.reference, offset: offset)
            try await expect(content.attributes.size == 1_000_000, "the attributes are those of the whole")
            try await expect(try await source.matches(content.bytes, from: offset), "reading begins at \(offset)")
        }
        let beyond = await failure { _ = try await store.read(stored.reference, offset: 1_000_001) }
        try await expect(beyond == .invalid, "an offset beyond the end is invalid")
    }

    private func oddKeys() async throws {
        let names = ["a b+c%20d", "ünï/код/写真.jpg", "q?x=1&y=2#z", "~!$'()*,;:@=", "a", "a/b", "..a/.b", "\"<>|^`{}[]"]
        var stored: [(MediaReference, [UInt8])] = []
        for name in names {
            let bytes = Array("bytes of \(name)".utf8)
            let key = "derived/\(run)/odd-\(stored.count)/\(name)"
            let origin = MediaReference(bucket: try bucket(), key: "originals/ü \(name)")
            let media = try await store.store(
                MediaSource.stream(of: bytes),
                key: key,
                contentType: "text/plain",
                origin: origin,
                limit: 1000
            )
            try await expect(media.reference.key == key, "the key \(key) stays")
            stored.append((media.reference, bytes))
        }
        for (reference, bytes) in stored {
            let content = try await store.read(reference, offset: 0)
            try await expect(try await MediaSource.collect(content.bytes) == bytes, "\(reference) has its own bytes")
            try await store.delete(reference)
        }
        for key in ["", "/a", "a//b", "../a", "a/../../etc/passwd", "a/.", "a\u{0}b", "a\\b", "a/"] {
            let code = await failure {
                _ = try await store.store(
                    MediaSource.stream(of: [1]),
                    key: key,
                    contentType: "text/plain",
                    origin: nil,
                    limit: 10
                )
            }
            try await expect(code == .invalid, "the key \(key.debugDescription) is refused")
            let get = await failure {
                _ = try store.presignedGet(MediaReference(bucket: try bucket(), key: key), expiresIn: .seconds(60))
            }
            try await expect(get == .invalid, "no URL is made for \(key.debugDescription)")
        }
    }

    private func brokenSources() async throws {
        for size in [10, 20 << 20] {
            let key = "derived/\(run)/broken"
            let code = await failure {
                _ = try await store.store(
                    MediaSource(size: size).stream(breakingAt: size / 2),
                    key: key,
                    contentType: "image/png",
                    origin: nil,
                    limit: size
                )
            }
            try await expect(code == .unavailable, "a source that breaks off is reported")
            let left = try await store.stat(MediaReference(bucket: try bucket(), key: key))
            try await expect(left == nil, "nothing is left of a source that broke off")
        }
    }

    private func missing() async throws {
        let reference = MediaReference(bucket: try bucket(), key: "derived/\(run)/missing")
        try await expect(try await store.stat(reference) == nil, "what is missing has no attributes")
        let read = await failure { _ = try await store.read(reference, offset: 0) }
        try await expect(read == .notFound, "what is missing is not found, not \(String(describing: read))")
        let other = await failure {
            _ = try await store.read(MediaReference(bucket: "another-bucket", key: "a"), offset: 0)
        }
        try await expect(other == .invalid, "another bucket is none of ours")
        for duration: Duration in [.zero, .seconds(-1), .seconds(604_801)] {
            let code = await failure { _ = try store.presignedPut(key: "uploads/a", expiresIn: duration) }
            try await expect(code == .invalid, "a URL can't last \(duration)")
        }
    }

    private func bucket() throws -> String {
        try store.presignedPut(key: "uploads/a", expiresIn: .seconds(1)).reference.bucket
    }

    private func failure(_ body: () async throws -> Void) async -> MediaError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? MediaError)?.code
        }
    }

    private func expect(_ holds: @autoclosure () async throws -> Bool, _ rule: String) async throws {
        guard try await holds() else { throw Violation(description: rule) }
    }
}
