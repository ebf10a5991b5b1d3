// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The port to the store of media.
///
/// Originals lie under their SHA-256 and are never overwritten.
///
/// Keys: originals `originals/<sha256><.ext>`, what stages extract `derived/<uuid>/<name>`, uploads of clients
/// `uploads/<name>`. Nothing is ever held in memory whole.
public protocol MediaStore: Sendable {
    /// Stores an original under its SHA-256; one that is there already is left alone.
    ///
    /// - Parameter limit: more bytes than this fail with `tooLarge`, and nothing is kept.
    func storeOriginal(
        _ bytes: ByteStream,
        contentType: String,
        limit: Int
    ) async throws(MediaError) -> StoredMedia

    /// Stores bytes under a key of their own.
    func store(
        _ bytes: ByteStream,
        key: String,
        contentType: String,
        origin: MediaReference?,
        limit: Int
    ) async throws(MediaError) -> StoredMedia

    /// Reads media, from `offset` on; the stream throws ``MediaError`` when it breaks off.
    func read(_ reference: MediaReference, offset: Int) async throws(MediaError) -> MediaContent

    /// Looks media up; nil when it is not there.
    func stat(_ reference: MediaReference) async throws(MediaError) -> MediaAttributes?

    /// A URL by which anyone can read the media until it expires (at most 7 days). No I/O.
    func presignedGet(_ reference: MediaReference, expiresIn: Duration) throws(MediaError) -> String

    /// A URL by which anyone can write this key until it expires, and the reference it will have. No I/O.
    func presignedPut(
        key: String,
        expiresIn: Duration
    ) throws(MediaError) -> (url: String, reference: MediaReference)

    /// Deletes media; what is not there is no error.
    func delete(_ reference: MediaReference) async throws(MediaError)

    /// Answers when the store does, within a few seconds.
    func ping() async throws(MediaError)
}

/// The name of media anywhere in the mesh: `s3://bucket/key`.
public struct MediaReference: Sendable, Hashable, CustomStringConvertible {
    /// The bucket.
    public var bucket: String
    /// The key: no empty, `.` or `..` segments, no control characters, at most 1024 bytes.
    public var key: String

    /// Makes a reference from parts that are known to be right.
    public init(bucket: String, key: String) {
        self.bucket = bucket
        self.key = key
    }

    /// Parses `s3://bucket/key`; nil when it is not one, or its key could lead elsewhere.
    public init?(_ text: String) {
        guard text.hasPrefix("s3://") else { return nil }
        let path = text.dropFirst(5)
        guard let slash = path.firstIndex(of: "/") else { return nil }
        let bucket = String(path[..<slash])
        let key = String(path[path.index(after: slash)...])
        guard Self.isBucket(bucket), Self.isKey(key) else { return nil }
        self.init(bucket: bucket, key: key)
    }

    /// Tells whether a key is safe: no empty, `.` or `..` segments, no control characters or backslashes.
    public static func isKey(_ key: String) -> Bool {
        guard !key.isEmpty, key.utf8.count <= 1024 else { return false }
        let isPlain = key.unicodeScalars.allSatisfy {
            $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && $0 != "\\"
        }
        // Scalars, not characters: a slash before a combining mark is no character of its own, and still a slash.
        let segments = key.unicodeScalars.split(separator: "/", omittingEmptySubsequences: false)
        return isPlain && segments.allSatisfy { !$0.isEmpty && String($0) != "." && String($0) != ".." }
    }

    private static func isBucket(_ bucket: String) -> Bool {
        (1...63).contains(bucket.utf8.count)
            && bucket.utf8.allSatisfy {
                ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2D || $0 == 0x2E
            } && bucket != "." && bucket != ".."
    }

    /// The form: `s3://bucket/key`.
    public var description: String { "s3://\(bucket)/\(key)" }
}

/// Media that was stored.
public struct StoredMedia: Sendable, Hashable {
    /// Where it lies.
    public var reference: MediaReference
    /// The SHA-256 of its bytes, in hexadecimal.
    public var sha256: String
    /// Its size in bytes.
    public var size: Int

    /// Makes one.
    public init(reference: MediaReference, sha256: String, size: Int) {
        self.reference = reference
        self.sha256 = sha256
        self.size = size
    }
}

/// What is known of media without reading it.
public struct MediaAttributes: Sendable, Hashable {
    /// Its size in bytes.
    public var size: Int
    /// Its content type.
    public var contentType: String

    /// Makes one.
    public init(size: Int, contentType: String) {
        self.size = size
        self.contentType = contentType
    }
}

/// Media that is being read.
public struct MediaContent: Sendable {
    /// What is known of the whole.
    public var attributes: MediaAttributes
    /// Its bytes from the asked offset on.
    public var bytes: ByteStream

    /// Makes one.
    public init(attributes: MediaAttributes, bytes: ByteStream) {
        self.attributes = attributes
        self.bytes = bytes
    }
}

/// Why a media call failed.
public struct MediaError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String { case unavailable, notFound, tooLarge, refused, invalid }
        private let kind: Kind
        /// The store can't be reached, or the transfer broke off.
        public static let unavailable = Code(kind: .unavailable)
        /// There is no such media.
        public static let notFound = Code(kind: .notFound)
        /// It has more bytes than the limit.
        public static let tooLarge = Code(kind: .tooLarge)
        /// The store refused: credentials, permissions.
        public static let refused = Code(kind: .refused)
        /// The reference, key or expiry is wrong.
        public static let invalid = Code(kind: .invalid)
        /// The code in a word.
        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public let code: Code
    /// What went wrong, without secrets.
    public let reason: String

    /// Whether the same call may succeed later.
    public var isRetriable: Bool { code == .unavailable }

    /// Makes an error.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The code and the reason.
    public var description: String { "media \(code): \(reason)" }
}
