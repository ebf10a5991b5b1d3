// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import MediaStore
import Plumbing
import Workflow

/// `POST /upload`, `GET /download`, and the signed URLs of a media store of files.
struct MediaRoutes: Sendable {
    let marketplace: Marketplace

    /// A URL to which the caller uploads a file of that name.
    func upload(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let caller = try await marketplace.identify(request.headers)
        _ = try marketplace.app(of: context, caller)
        let name = try key(of: request)
        guard let key = UploadKey.forUpload(name, caller) else {
            throw MarketplaceRefusal.invalid(
                "s3_key",
                "a name of your own is required: at most 512 bytes, without empty, '.' or '..' segments, "
                    + "and not in uploads/ of others, originals/ or derived/"
            )
        }
        do throws(MediaError) {
            let put = try marketplace.parts.media.presignedPut(
                key: key,
                expiresIn: marketplace.settings.uploadURLExpiry
            )
            return success([
                "presignedUrl": .string(put.url), "key": .string(key),
                "reference": .string(put.reference.description),
            ])
        } catch {
            throw refusal(error)
        }
    }

    /// A URL from which the caller downloads media.
    func download(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let caller = try await marketplace.identify(request.headers)
        _ = try marketplace.app(of: context, caller)
        let name = try key(of: request)
        let missing = MarketplaceRefusal.notFound("there is no media '\(name.prefix(200))'")
        do throws(MediaError) {
            let probe = try marketplace.parts.media.presignedPut(key: "uploads/-", expiresIn: .seconds(60))
            let bucket = probe.reference.bucket
            guard let reference = reference(name, caller, bucket) else { throw MediaError(.notFound, name) }
            guard UploadKey.mayRead(reference.key, caller),
                try await marketplace.parts.media.stat(reference) != nil
            else { throw MediaError(.notFound, name) }
            let url = try marketplace.parts.media.presignedGet(
                reference,
                expiresIn: marketplace.settings.answerURLExpiry
            )
            return success(["url": .string(url), "key": .string(reference.key)])
        } catch {
            throw error.code == .notFound ? missing : refusal(error)
        }
    }

    /// Reads a signed URL.
    func read(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let content: MediaContent
        do throws(MediaError) {
            content = try await marketplace.parts.media.read(try reference(of: request, as: "GET"), offset: 0)
        } catch {
            throw refusal(error)
        }
        let headers: HTTPFields = [
            .contentType: content.attributes.contentType, .xContentTypeOptions: "nosniff",
            // A page that somebody uploaded may be looked at, and do nothing.
            .contentSecurityPolicy: "default-src 'none'; sandbox",
        ]
        let body = ResponseBody(contentLength: content.attributes.size) { writer in
            for try await chunk in content.bytes { try await writer.write(ByteBuffer(bytes: chunk)) }
            try await writer.finish(nil)
        }
        let response = Response(status: .ok, headers: headers, body: body)
        return request.method == .head ? response.createHeadResponse() : response
    }

    /// Writes to a signed URL.
    func write(_ request: Request, _ context: MarketplaceContext) async throws -> Response {
        let bytes = ByteStream(reading: request.body.map { Array($0.readableBytesView) })
        do throws(MediaError) {
            let reference = try reference(of: request, as: "PUT")
            _ = try await marketplace.parts.media.store(
                bytes,
                key: reference.key,
                contentType: request.headers[.contentType] ?? "application/octet-stream",
                origin: nil,
                limit: marketplace.settings.uploadLimit
            )
        } catch {
            throw refusal(error)
        }
        return Response(status: .ok)
    }

    private func reference(of request: Request, as method: String) throws(MediaError) -> MediaReference {
        guard let signed = marketplace.parts.signedMedia else {
            throw MediaError(.notFound, "no media are served here")
        }
        return try signed.verify(method: method, path: request.uri.path, query: request.uri.query ?? "")
    }

    private func key(of request: Request) throws(MarketplaceRefusal) -> String {
        let text = request.uri.queryParameters["s3_key"].map { String($0) } ?? ""
        guard !text.isEmpty else { throw .invalid("s3_key", "the query parameter is required") }
        return text
    }

    private func reference(_ name: String, _ caller: CallerIdentity, _ bucket: String) -> MediaReference? {
        if name.hasPrefix("s3://") {
            guard let reference = MediaReference(name), reference.bucket == bucket else { return nil }
            return reference
        }
        return UploadKey.forDownload(name, caller).map { MediaReference(bucket: bucket, key: $0) }
    }

    private func success(_ data: JSON) -> Response {
        Response(json: ["code": 0, "message": "success", "data": data])
    }

    private func refusal(_ error: MediaError) -> MarketplaceRefusal {
        switch error.code {
        case .notFound: .notFound(error.reason)
        case .tooLarge: MarketplaceRefusal(.invalid, .contentTooLarge, error.reason)
        case .refused: MarketplaceRefusal(.unsupported, .forbidden, error.reason)
        case .invalid: .invalid("s3_key", error.reason)
        default: .mediaAway(error.code.description)
        }
    }
}
