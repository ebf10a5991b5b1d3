// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
internal import MediaStore
internal import Plumbing
internal import Workflow

/// The gallery of enrolled faces, shared by all workers: a small document in the ledger names the version and the file
/// in the media store that holds it. A change stores a new file and swaps the document if nobody else has.
///
/// Every reader asks for the document's version, all that wait in one call, so that who enrolled finds the face.
actor FaceGallery {
    private static let documentName = "face-gallery"
    private static let tries = 12
    /// How many jobs a version remembers, so that a repeated attempt changes nothing.
    private static let remembered = 256
    private static let sizeLimit = 4 * 1024 * 1024 * 1024

    private struct Document {
        var version = 0
        var snapshot: MediaReference?
        var previous: MediaReference?
        var jobs: [String] = []
    }

    private let ledger: any Ledger
    private let media: any MediaStore
    private let looks: Batcher<Void, Document>
    private var cached = GallerySnapshot()
    private var loading: (version: Int, task: Task<GallerySnapshot, any Error>)?

    init(ledger: any Ledger, media: any MediaStore) {
        self.ledger = ledger
        self.media = media
        looks = Batcher { waiting in
            let document: Result<Document, any Error>
            do { document = .success(try await Self.read(ledger)) } catch { document = .failure(error) }
            return waiting.map { _ in document }
        }
    }

    /// The present version.
    ///
    /// - Throws: `LedgerError`, `MediaError`, ``GalleryFileError``, or `CancellationError`.
    func current() async throws -> GallerySnapshot {
        try await snapshot(of: try await looks.submit(()))
    }

    /// Changes the gallery; `change` may run several times.
    ///
    /// A job that has changed it before changes nothing.
    ///
    /// - Parameter change: makes the new sections; nil when there is nothing to change.
    func update(
        job: JobID,
        _ change: @Sendable (GallerySnapshot) throws(JobError) -> GallerySnapshot?
    ) async throws -> GallerySnapshot {
        let backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(500))
        for attempt in 1...Self.tries {
            let document = try await Self.read(ledger)
            let snapshot = try await snapshot(of: document)
            guard !document.jobs.contains(job.description), !snapshot.holds(job), var next = try change(snapshot) else {
                return snapshot
            }
            next.version = document.version + 1
            if try await swap(document, for: next, job: job) {
                cached = next
                return next
            }
            try await Task.sleep(for: backoff.delay(afterFailures: attempt))
        }
        throw JobError(.handler, "the gallery was changed by others \(Self.tries) times in a row; try again")
    }

    private func swap(_ document: Document, for next: GallerySnapshot, job: JobID) async throws -> Bool {
        let bytes = next.bytes
        let stored = try await media.store(
            ByteStream(chunk: bytes),
            key: "derived/\(MeshID())/gallery.bin",
            contentType: "application/octet-stream",
            origin: nil,
            limit: bytes.count
        )
        let jobs = (document.jobs + [job.description]).suffix(Self.remembered)
        var json: JSON = [
            "version": .number(JSONNumber(next.version)), "snapshot": .string(stored.reference.description),
            "size": .number(JSONNumber(next.size)), "jobs": .array(jobs.map { .string($0) }),
        ]
        if let old = document.snapshot { json = json.adding("previous", .string(old.description)) }
        // When this throws it may have been written all the same, so the file stays.
        let isWritten = try await ledger.write(
            document: Self.documentName,
            expecting: document.version,
            json.bytes
        )
        // The last version may still be on its way to a reader; the one before it goes. A file that can't be deleted
        // is only lost room.
        let leftOver = isWritten ? document.previous : stored.reference
        if let leftOver { try? await media.delete(leftOver) }
        return isWritten
    }

    private func snapshot(of document: Document) async throws -> GallerySnapshot {
        if document.version == cached.version { return cached }
        guard let reference = document.snapshot else { return GallerySnapshot() }
        let task: Task<GallerySnapshot, any Error>
        if let loading, loading.version == document.version {
            task = loading.task
        } else {
            let media = media
            // Not a child of the first reader: others wait for the same file.
            task = Task { try await Self.load(reference, version: document.version, from: media) }
            loading = (document.version, task)
        }
        defer { if loading?.version == document.version { loading = nil } }
        let snapshot: GallerySnapshot
        do {
            snapshot = try await task.value
        } catch let error as MediaError where error.code == .notFound {
            // Two versions have come since the document was read.
            let fresh = try await Self.read(ledger)
            guard fresh.version != document.version else { throw error }
            return try await self.snapshot(of: fresh)
        }
        if snapshot.version > cached.version { cached = snapshot }
        return snapshot
    }

    private static func load(
        _ reference: MediaReference,
        version: Int,
        from media: any MediaStore
    ) async throws -> GallerySnapshot {
        let content = try await media.read(reference, offset: 0)
        guard content.attributes.size <= sizeLimit else {
            throw GalleryFileError("it has \(content.attributes.size) bytes")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(content.attributes.size)
        for try await chunk in content.bytes { bytes += chunk }
        return try GallerySnapshot(version: version, bytes: bytes)
    }

    private static func read(_ ledger: any Ledger) async throws -> Document {
        guard let stored = try await ledger.document(documentName) else { return Document() }
        let json = try JSON(parsing: stored.bytes)
        return Document(
            version: stored.version,
            snapshot: json["snapshot"]?.string.flatMap { MediaReference($0) },
            previous: json["previous"]?.string.flatMap { MediaReference($0) },
            jobs: json["jobs"]?.array?.compactMap(\.string) ?? []
        )
    }
}
