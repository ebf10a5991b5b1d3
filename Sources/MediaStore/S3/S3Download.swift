// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import HTTPTransfer
internal import MediaStore

/// Reads an object and takes up where a broken transfer left off.
actor S3Download {
    private static let tries = 4
    private let link: S3Link
    private let key: String
    private var position: Int
    private var iterator: ByteStream.AsyncIterator?
    private(set) var attributes = MediaAttributes(size: 0, contentType: "application/octet-stream")
    private var tag: String?
    private var isReplaced = false
    private var failures = 0
    /// Bytes to pass over, because the server sent the whole in place of the asked range.
    private var excess = 0
    private var waitingSince = ContinuousClock.now

    init(link: S3Link, key: String, offset: Int) {
        self.link = link
        self.key = key
        position = offset
    }

    /// Opens the first transfer; the attributes are known afterwards.
    func open() async throws(MediaError) {
        waitingSince = .now
        while true {
            do {
                return try await connect()
            } catch {
                try await recover(from: error)
            }
        }
    }

    /// The next bytes, nil at the end.
    func next() async throws -> [UInt8]? {
        waitingSince = .now
        while position < attributes.size {
            do {
                if iterator == nil { try await connect() }
                guard var source = iterator else { return nil }
                if var chunk = try await source.next(isolation: self) {
                    if excess > 0 {
                        let skipped = min(excess, chunk.count)
                        excess -= skipped
                        chunk.removeFirst(skipped)
                        guard !chunk.isEmpty else { continue }
                    }
                    position += chunk.count
                    failures = 0
                    return chunk
                }
                throw MediaError(.unavailable, "the transfer ended \(attributes.size - position) bytes early")
            } catch let error as TransferError where error.code == .cancelled {
                throw MediaError(.unavailable, error.reason)
            } catch let error as TransferError {
                try await recover(from: S3Link.translate(error))
            } catch {
                try await recover(from: MediaNaming.error(from: error))
            }
        }
        iterator = nil
        return nil
    }

    private func recover(from error: MediaError) async throws(MediaError) {
        iterator = nil
        failures += 1
        guard error.isRetriable, failures < Self.tries, ContinuousClock.now - waitingSince < S3Link.patience,
            !isReplaced, !Task.isCancelled
        else { throw error }
        try await link.pause(afterFailures: failures)
    }

    private func connect() async throws(MediaError) {
        var headers: [(name: String, value: String)] = []
        if position > 0 { headers.append(("range", "bytes=\(position)-")) }
        // What was read so far must belong to the same version.
        if let tag, !tag.hasPrefix("W/") { headers.append(("if-match", tag)) }
        let (head, body) = try await link.stream(key: key, headers: headers)
        switch head.status {
        case 200, 206:
            try note(head)
        case 412:
            isReplaced = true
            throw MediaError(.unavailable, "\(key) was replaced while it was read")
        default: throw S3Answer.error(status: head.status, body: await Self.words(of: body), key: key)
        }
        iterator = body.makeAsyncIterator()
    }

    private func note(_ head: TransferHead) throws(MediaError) {
        // Some servers (rclone) send a range with status 200, so the header decides: "bytes 5-9/10".
        var range = head["content-range"]?.split(whereSeparator: { " -/".contains($0) }).dropFirst().map { Int($0) }
        if range?.count != 3 { range = nil }
        let start = range?.first.flatMap { $0 } ?? 0
        guard let size = range?.last.flatMap({ $0 }) ?? head["content-length"].flatMap({ Int($0) }), start <= position
        else { throw MediaError(.unavailable, "S3 did not tell which bytes of \(key) it sends") }
        if let tag, let now = head["etag"], tag != now || size != attributes.size {
            // Not every server heeds `If-Match`.
            isReplaced = true
            throw MediaError(.unavailable, "\(key) was replaced while it was read")
        }
        excess = position - start
        tag = head["etag"]
        attributes.size = size
        attributes.contentType = head["content-type"] ?? attributes.contentType
    }

    /// The beginning of an error's text; when even that breaks off, the status has to do.
    private static func words(of body: ByteStream) async -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await chunk in body {
                bytes += chunk
                if bytes.count > 16_384 { break }
            }
        } catch {
            return bytes
        }
        return bytes
    }
}
