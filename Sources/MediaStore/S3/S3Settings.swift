// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Foundation
internal import MediaStore

/// Where the S3 server is and how to use it.
public struct S3Settings: Sendable {
    /// The server's URL without bucket, such as `https://s3.eu-central-1.amazonaws.com`.
    public var endpoint: String
    /// The URL by which clients reach the same server, for presigned URLs; nil when it is the endpoint.
    public var publicEndpoint: String?
    /// The region that signatures name.
    public var region: String
    /// The bucket of all media.
    public var bucket: String
    /// The access key's id.
    public var accessKey: String
    /// The access key's secret.
    public var secretKey: String
    /// The token of temporary credentials.
    public var sessionToken: String?
    /// True for `endpoint/bucket/key`, false for `bucket.endpoint/key`; an endpoint that is an address has only the
    /// first.
    public var usesPathStyle: Bool
    /// Where originals above 5 MiB wait until their hash is known.
    public var spoolFolder: String

    /// Makes settings.
    public init(
        endpoint: String,
        publicEndpoint: String? = nil,
        region: String = "us-east-1",
        bucket: String,
        accessKey: String,
        secretKey: String,
        sessionToken: String? = nil,
        usesPathStyle: Bool = true,
        spoolFolder: String = "/tmp"
    ) {
        self.endpoint = endpoint
        self.publicEndpoint = publicEndpoint
        self.region = region
        self.bucket = bucket
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.usesPathStyle = usesPathStyle
        self.spoolFolder = spoolFolder
    }

    /// The parts of the URL of a key, or of the bucket itself.
    func address(of key: String?, isPublic: Bool = false) -> S3Address {
        let base = isPublic ? publicEndpoint ?? endpoint : endpoint
        let marker = base.range(of: "://")
        let scheme = marker.map { String(base[..<$0.lowerBound]) } ?? "https"
        var rest = marker.map { base[$0.upperBound...] } ?? base[...]
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        let host = rest.prefix { $0 != "/" }
        let prefix = rest.dropFirst(host.count)
        let path = key.map { "/" + MediaNaming.percentEncoded($0, keepingSlashes: true) } ?? ""
        let isDirect = usesPathStyle || Self.isAddress(host)
        let name = isDirect ? String(host) : "\(bucket).\(host)"
        let whole = isDirect ? "\(prefix)/\(bucket)\(path)" : "\(prefix)\(path)"
        return S3Address(
            scheme: scheme.lowercased(),
            host: Self.withoutDefaultPort(name, scheme),
            path: whole.isEmpty ? "/" : whole
        )
    }

    private static func isAddress(_ host: Substring) -> Bool {
        guard !host.hasPrefix("[") else { return true }
        let name = host.prefix { $0 != ":" }
        return !name.isEmpty && name.allSatisfy { $0 == "." || $0.isNumber }
    }

    /// The `Host` header as libcurl and browsers send it: without the scheme's own port.
    private static func withoutDefaultPort(_ host: String, _ scheme: String) -> String {
        let port = scheme.lowercased() == "http" ? ":80" : ":443"
        return host.hasSuffix(port) ? String(host.dropLast(port.count)) : host
    }
}

/// The parts of a URL that a signature covers.
struct S3Address {
    var scheme: String
    var host: String
    var path: String
    var isEncrypted: Bool { scheme == "https" }

    func url(query: String) -> String {
        query.isEmpty ? "\(scheme)://\(host)\(path)" : "\(scheme)://\(host)\(path)?\(query)"
    }
}
