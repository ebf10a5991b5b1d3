// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import MediaStore
import Plumbing
import Workflow

@testable import AppAPI

/// The App API's calls: the body's method, callback and payload, and what names media.
///
/// The first line is a user's id.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCall(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        let (head, rest) = Choices.halves(bytes)
        let user = String(decoding: head, as: UTF8.self)
        let body = Choices.json(rest, words)
        let payload = body["payload"] ?? [:]
        let print = CallRoute.fingerprint("identify", body["callbackUrl"]?.string, payload)
        Fuzz.same(CallRoute.fingerprint("identify", body["callbackUrl"]?.string, payload), print, "the fingerprint")
        Fuzz.require(
            CallRoute.fingerprint("enrol", body["callbackUrl"]?.string, payload) != print,
            "two calls, one print"
        )
        _ = PayloadMedia.fetches(payload, schema.source)
        _ = schema.validate(payload)
        media(String(decoding: rest, as: UTF8.self), user)
        for value in payload.object?.members.map(\.value) ?? [] { if let text = value.string { media(text, user) } }
        trace(user)
    }
}

private let words = [
    "method", "payload", "callbackUrl", "identify", "image", "name", "https://example.com/a", "s3://bucket/originals/a",
    "data:image/png;base64,iVBORw0KGgo=", "data:,a%20b", "uploads/u/a", "../a", "",
]

private let schema: JSONSchema = {
    let source: JSON = [
        "type": "object", "required": ["image"],
        "properties": [
            "image": ["type": "string", "format": "media", "maxLength": 2048],
            "list": ["type": "array", "items": ["type": "string", "format": "media"]],
        ],
    ]
    guard let schema = try? JSONSchema(source) else { fatalError("the schema is wrong") }
    return schema
}()

private func media(_ text: String, _ user: String) {
    if let url = DataURL(text) { Fuzz.require(url.bytes.count <= text.utf8.count, "a data: URL that grew") }
    _ = DataURL.isMeant(text)
    _ = URLOrigin(text)
    let caller = CallerIdentity(user: user, role: .user, token: "t", apps: ["a"])
    let folder = UploadKey.folder(of: caller)
    let depth = folder.utf8.filter { $0 == UInt8(ascii: "/") }.count
    Fuzz.require(depth == 3 && folder.hasPrefix("uploads/@a/"), "the folder \(folder)")
    let keys = [UploadKey.forUpload(text, caller), UploadKey.forDownload(text, caller)].compactMap(\.self)
    for key in keys {
        let segments = key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isPlain = !segments.contains { $0.elementsEqual("..".utf8) || $0.isEmpty }
        Fuzz.require(isPlain, "the key \(key) leads elsewhere")
        guard UploadKey.mayRead(key, caller) else { continue }
        let isOwn = key.utf8.starts(with: folder.utf8) || !key.utf8.starts(with: "uploads/".utf8)
        Fuzz.require(isOwn, "\(key) of somebody else can be read")
    }
    if let key = UploadKey.forUpload(text, caller) {
        Fuzz.require(key.utf8.starts(with: folder.utf8), "an upload to \(key), not to the own folder")
    }
}

private func trace(_ text: String) {
    let trace = TraceContext(parsing: text)
    Fuzz.same(TraceContext(parsing: trace.traceparent), trace, "the trace after a round trip")
    Fuzz.require(trace.traceparent.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a trace that is no header")
}
