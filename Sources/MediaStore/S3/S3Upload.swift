// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Crypto
internal import Foundation
internal import HTTPTransfer
internal import MediaStore

/// Writes one object: whole when it is small, in parts of 5 MiB when it is not.
struct S3Upload: Sendable {
    /// The least that S3 takes for all parts but the last; three of them are in memory.
    static let partSize = 5 << 20
    private static let partsAtOnce = 2

    let link: S3Link
    let key: String
    let contentType: String
    let origin: MediaReference?
    /// Whether an object that is there already stays as it is.
    let keepsExisting: Bool

    private var headers: [(name: String, value: String)] {
        var headers = [("content-type", contentType)]
        // Header values are ASCII, keys are not.
        if let origin {
            headers.append(("x-amz-meta-origin", MediaNaming.percentEncoded(origin.description, keepingSlashes: true)))
        }
        return headers
    }

    private var condition: [(name: String, value: String)] { keepsExisting ? [("if-none-match", "*")] : [] }

    /// Writes everything in one request.
    func put(_ bytes: [UInt8], hash: String?) async throws(MediaError) {
        let answer = try await link.send(
            "PUT",
            key: key,
            headers: headers + condition,
            body: bytes,
            hash: hash,
            timeout: .seconds(120)
        )
        try await check(answer, size: bytes.count)
    }

    /// Writes parts as `next` hands them out, two at a time; nothing is left behind when it fails.
    func putParts(_ next: () async throws -> [UInt8]?) async throws(MediaError) {
        let started = try await link.send("POST", key: key, query: [("uploads", "")], headers: headers)
        guard S3Answer.isSuccess(started.head.status), let id = S3Answer.element("UploadId", in: started.body) else {
            throw S3Answer.error(status: started.head.status, body: started.body, key: key)
        }
        do {
            let (tags, size) = try await sendParts(id, next)
            try await complete(id, tags: tags, size: size)
        } catch {
            await abort(id)
            throw MediaNaming.error(from: error)
        }
    }

    private func sendParts(_ id: String, _ next: () async throws -> [UInt8]?) async throws -> ([Int: String], Int) {
        try await withThrowingTaskGroup(of: (Int, String).self) { group in
            var tags: [Int: String] = [:]
            var number = 0
            var size = 0
            while let part = try await next() {
                number += 1
                size += part.count
                guard number <= 10_000 else { throw MediaError(.tooLarge, "S3 takes at most 10,000 parts") }
                if number > Self.partsAtOnce, let (done, tag) = try await group.next() { tags[done] = tag }
                group.addTask { [number] in (number, try await send(part, id, number)) }
            }
            for try await (done, tag) in group { tags[done] = tag }
            return (tags, size)
        }
    }

    private func send(_ part: [UInt8], _ id: String, _ number: Int) async throws(MediaError) -> String {
        let answer = try await link.send(
            "PUT",
            key: key,
            query: [("partNumber", String(number)), ("uploadId", id)],
            body: part,
            timeout: .seconds(120)
        )
        guard S3Answer.isSuccess(answer.head.status), let tag = answer.head["etag"] else {
            throw S3Answer.error(status: answer.head.status, body: answer.body, key: key)
        }
        return tag
    }

    private func complete(_ id: String, tags: [Int: String], size: Int) async throws(MediaError) {
        let parts = tags.sorted { $0.key < $1.key }.map {
            "<Part><PartNumber>\($0.key)</PartNumber><ETag>\($0.value)</ETag></Part>"
        }
        let text = "<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
        let answer = try await link.send(
            "POST",
            key: key,
            query: [("uploadId", id)],
            headers: condition,
            body: Array(text.utf8),
            timeout: .seconds(120)
        )
        // S3 may begin with 200 and find out later that it failed.
        if S3Answer.isSuccess(answer.head.status), S3Answer.element("Code", in: answer.body) != nil {
            throw S3Answer.error(status: 500, body: answer.body, key: key)
        }
        if answer.head.status == 412 { await abort(id) }
        // A repeated call whose first answer was lost finds no upload any more, but the object.
        if S3Answer.element("Code", in: answer.body) == "NoSuchUpload", try await isThere(size: size) { return }
        try await check(answer, size: size)
    }

    /// Gives the parts back even when the caller was cancelled: they would cost money for ever.
    private func abort(_ id: String) async {
        let link = self.link
        let key = self.key
        // The caller learns of the failure that led here; a lifecycle rule of the bucket clears what stays behind.
        _ = await Task {
            try? await link.send("DELETE", key: key, query: [("uploadId", id)], timeout: .seconds(5))
        }.value
    }

    private func isThere(size: Int) async throws(MediaError) -> Bool {
        let answer = try await link.send("HEAD", key: key)
        return S3Answer.isSuccess(answer.head.status) && answer.head["content-length"] == String(size)
    }

    private func check(_ answer: TransferResponse, size: Int) async throws(MediaError) {
        // 412: somebody else wrote the same original first.
        if keepsExisting, answer.head.status == 412, try await isThere(size: size) { return }
        guard S3Answer.isSuccess(answer.head.status) else {
            throw S3Answer.error(status: answer.head.status, body: answer.body, key: key)
        }
    }
}
