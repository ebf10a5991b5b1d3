// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import MediaStore
import NIOCore
import Plumbing
import Workflow

/// Media for handlers: bytes in and out of the store, streamed, so that no handler knows the store or its keys.
struct MediaCalls: Sendable {
    let media: any MediaStore
    let settings: ProcessEngineSettings

    /// Answers `GET media?ref=…` with the bytes.
    ///
    /// - Parameter passed: waits until the loop of the connection has come by what was written.
    func read(_ route: HandlerRoute, passed: @escaping @Sendable () async throws -> Void) async -> Response {
        guard let text = route.query["ref"], let reference = MediaReference(text) else {
            return .problem(.badRequest, "'\(route.query["ref"] ?? "")' is no media reference; one is s3://bucket/key")
        }
        do {
            let content = try await media.read(reference, offset: 0)
            var headers: HTTPFields = [.contentType: content.attributes.contentType]
            headers[.contentLength] = String(content.attributes.size)
            let body = ResponseBody(contentLength: content.attributes.size) { writer in
                for try await bytes in content.bytes {
                    try await writer.write(ByteBuffer(bytes: bytes))
                    // The writer takes all it gets until it hears from the loop that the connection is full. On a busy
                    // machine ten megabytes were on their way to the loop by then.
                    try await passed()
                }
                try await writer.finish(nil)
            }
            return Response(status: .ok, headers: headers, body: body)
        } catch {
            return problem(error)
        }
    }

    /// Answers `POST media?name=…&origin=…` with the new reference.
    func write(_ route: HandlerRoute, _ request: Request) async -> Response {
        var origin: MediaReference?
        if let text = route.query["origin"], !text.isEmpty {
            origin = MediaReference(text)
            guard origin != nil else {
                return .problem(.badRequest, "the origin '\(text)' is no media reference; one is s3://bucket/key")
            }
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > settings.mediaLimit {
            return .problem(.contentTooLarge, "media of handlers has at most \(settings.mediaLimit) bytes")
        }
        let bytes = ByteStream(reading: request.body.map { Array($0.readableBytesView) })
        let key = "derived/\(MeshID())/\(Self.fileName(route.query["name"] ?? ""))"
        let type = request.headers[.contentType] ?? "application/octet-stream"
        do {
            let stored = try await media.store(
                bytes,
                key: key,
                contentType: type,
                origin: origin,
                limit: settings.mediaLimit
            )
            let answer: JSON = [
                "ref": .string(stored.reference.description), "sha256": .string(stored.sha256),
                "size": .number(JSONNumber(stored.size)),
            ]
            return .json(answer.bytes, status: .created)
        } catch {
            return problem(error)
        }
    }

    /// A name that is safe as the last part of a key.
    static func fileName(_ name: String) -> String {
        let last = name.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
        let safe = String(
            last.unicodeScalars.filter { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }.map(Character.init)
                .prefix(100)
        )
        return MediaReference.isKey(safe) ? safe : "media"
    }

    private func problem(_ error: MediaError) -> Response {
        let status: HTTPResponse.Status =
            switch error.code {
            case .notFound: .notFound
            case .tooLarge: .contentTooLarge
            case .invalid: .badRequest
            case .refused: .forbidden
            default: .serviceUnavailable
            }
        return .problem(status, error.reason)
    }
}
