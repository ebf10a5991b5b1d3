// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import HTTPTransfer
import MediaStore
import Plumbing
import Synchronization
import Workflow

/// Turns the media of a payload into references: stores `data:` URLs, fetches URLs, looks references up.
///
/// A property holds media when its schema says `format: media`. A base64 `data:` URL is stored wherever it stands.
struct PayloadMedia: Sendable {
    let media: any MediaStore
    let client: any HTTPTransferring
    let destinations: any DestinationRules
    let settings: AppSettings

    /// The payload with references in place of media.
    func resolve(
        _ payload: JSON,
        schema: JSON?,
        caller: CallerIdentity
    ) async throws(MarketplaceRefusal) -> JSON {
        var walk = Walk(caller: caller)
        return try await resolve(payload, schema, "payload", &walk)
    }

    /// Whether resolving a payload would fetch from elsewhere.
    static func fetches(_ value: JSON, _ schema: JSON?) -> Bool {
        switch value {
        case .string(let text): isMedia(schema) && (text.hasPrefix("https://") || text.hasPrefix("http://"))
        case .array(let elements): elements.contains { fetches($0, schema?["items"]) }
        case .object(let object):
            object.members.contains { fetches($0.value, member($0.name, of: schema)) }
        case .null, .bool, .number: false
        }
    }

    private static func member(_ name: String, of schema: JSON?) -> JSON? {
        schema?["properties"]?[name] ?? schema?["additionalProperties"]
    }

    private struct Walk {
        let caller: CallerIdentity
        var count = 0
    }

    private func resolve(
        _ value: JSON,
        _ schema: JSON?,
        _ path: String,
        _ walk: inout Walk
    ) async throws(MarketplaceRefusal) -> JSON {
        switch value {
        case .string(let text): return try await resolve(text, isMedia: Self.isMedia(schema), path, &walk)
        case .array(let elements):
            guard elements.contains(where: Self.mayHoldMedia) else { return value }
            var resolved: [JSON] = []
            for (index, element) in elements.enumerated() {
                resolved.append(try await resolve(element, schema?["items"], "\(path)/\(index)", &walk))
            }
            return .array(resolved)
        case .object(let object):
            var resolved = object
            for (name, member) in object.members where Self.mayHoldMedia(member) {
                resolved[name] = try await resolve(member, Self.member(name, of: schema), "\(path)/\(name)", &walk)
            }
            return .object(resolved)
        case .null, .bool, .number: return value
        }
    }

    private static func mayHoldMedia(_ value: JSON) -> Bool {
        switch value {
        case .string, .array, .object: true
        case .null, .bool, .number: false
        }
    }

    private static func isMedia(_ schema: JSON?) -> Bool { schema?["format"]?.string == "media" }

    private func resolve(
        _ text: String,
        isMedia: Bool,
        _ path: String,
        _ walk: inout Walk
    ) async throws(MarketplaceRefusal) -> JSON {
        if DataURL.isMeant(text) || (isMedia && text.hasPrefix("data:")) {
            try count(&walk, path)
            return .string(try await store(text, path))
        }
        guard isMedia else { return .string(text) }
        try count(&walk, path)
        if text.hasPrefix("s3://") { return .string(try await lookUp(text, path, walk)) }
        if text.hasPrefix("https://") || text.hasPrefix("http://") { return .string(try await fetch(text, path)) }
        throw .invalid(path, "media are named as s3://bucket/key, an https URL, or a data: URL")
    }

    private func count(_ walk: inout Walk, _ path: String) throws(MarketplaceRefusal) {
        walk.count += 1
        guard walk.count <= settings.maxMediaPerCall else {
            throw .invalid(path, "a payload may carry at most \(settings.maxMediaPerCall) media")
        }
    }

    private func store(_ text: String, _ path: String) async throws(MarketplaceRefusal) -> String {
        let limit = settings.dataURLLimit
        let tooLarge = MarketplaceRefusal.invalid(
            path,
            "a data: URL may hold at most \(limit) bytes; upload larger media (POST /upload)"
        )
        guard text.utf8.count <= limit * 4 / 3 + 1024 else { throw tooLarge }
        guard let url = DataURL(text) else { throw .invalid(path, "not a valid data: URL (RFC 2397)") }
        guard url.bytes.count <= limit else { throw tooLarge }
        let bytes = ByteStream { continuation in
            continuation.yield(url.bytes)
            continuation.finish()
        }
        do throws(MediaError) {
            return try await media.storeOriginal(bytes, contentType: url.contentType, limit: limit).reference
                .description
        } catch {
            throw refusal(error, path)
        }
    }

    private func lookUp(_ text: String, _ path: String, _ walk: Walk) async throws(MarketplaceRefusal) -> String {
        guard let reference = MediaReference(text) else { throw .invalid(path, "not a valid s3://bucket/key") }
        let missing = MarketplaceRefusal.invalid(path, "there is no media \(text)")
        guard UploadKey.mayRead(reference.key, walk.caller) else { throw missing }
        do throws(MediaError) {
            guard try await media.stat(reference) != nil else { throw MediaError(.notFound, text) }
        } catch {
            throw error.code == .notFound ? missing : refusal(error, path)
        }
        return text
    }

    /// Fetches a URL once, under the network rules of callbacks, without holding it in memory.
    private func fetch(_ url: String, _ path: String) async throws(MarketplaceRefusal) -> String {
        guard URLOrigin(url) != nil else { throw .invalid(path, "an absolute URL without user info is required") }
        if let reason = await destinations.refusal(of: url) {
            throw .invalid(path, "the URL may not be fetched: \(reason)")
        }
        let failure = Mutex<(any Error)?>(nil)
        do {
            let (head, body) = try await client.stream(
                TransferRequest("GET", url, headers: [("user-agent", "malla")], timeout: .seconds(15))
            )
            guard head.status == 200 else {
                let hint = (300...399).contains(head.status) ? "; redirects are not followed" : ""
                throw MarketplaceRefusal.invalid(path, "the URL answered with status \(head.status)\(hint)")
            }
            if let length = head["content-length"].flatMap({ Int($0) }), length > settings.fetchLimit {
                throw MediaError(.tooLarge, url)
            }
            // The store would call a broken source its own failure: remember whose it was.
            let bytes = ByteStream(reading: body) { error in failure.withLock { $0 = error } }
            let stored = try await media.storeOriginal(
                bytes,
                contentType: head["content-type"] ?? "application/octet-stream",
                limit: settings.fetchLimit
            )
            return stored.reference.description
        } catch let refusal as MarketplaceRefusal {
            throw refusal
        } catch let error as MediaError where failure.withLock({ $0 == nil }) {
            throw refusal(error, path)
        } catch {
            throw .invalid(path, "the URL could not be fetched: \(failure.withLock { $0 } ?? error)")
        }
    }

    private func refusal(_ error: MediaError, _ path: String) -> MarketplaceRefusal {
        switch error.code {
        case .tooLarge: .invalid(path, "the media are larger than the limit of \(settings.fetchLimit) bytes")
        case .notFound, .invalid: .invalid(path, error.reason)
        default: .mediaAway(error.code.description)
        }
    }
}
