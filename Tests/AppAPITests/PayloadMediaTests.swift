// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import HTTPTransfer
import Hummingbird
import HummingbirdTesting
import Ledger
import LedgerSQLite
import MediaStore
import MediaStoreFiles
import Plumbing
import Testing
import Workflow

@testable import AppAPI

/// Media in payloads: references, `data:` URLs and URLs to fetch.
@Suite(.timeLimit(.minutes(1))) struct PayloadMediaTests {
    private static func store(_ text: String, _ key: String, in media: FilesMediaStore) async throws {
        let bytes = ByteStream { continuation in
            continuation.yield(Array(text.utf8))
            continuation.finish()
        }
        _ = try await media.store(bytes, key: key, contentType: "image/png", origin: nil, limit: 1 << 20)
    }

    private static func refused(_ answer: MarketplaceClient.Answer, _ field: String, saying words: String) {
        #expect(answer.status == 400 && answer.code == "CO_400" && answer.isRefusal)
        #expect(
            answer.reason.hasPrefix("\(field): ") && (words.isEmpty || answer.reason.contains(words)),
            "\(answer.reason)"
        )
    }

    @Test func referencesMustBeThereAndTheCallers() async throws {
        let fixture = try await MarketplaceFixture()
        try await Self.store("a", "uploads/ann/a.png", in: fixture.media)
        try await fixture.serve { client in
            for reference in [
                "s3://other/uploads/ann/a.png", "s3://media/uploads/ann/b.png", "s3://media/originals/00ff.png",
                "s3://media", "s3://media/", "s3://media/../a", "s3:///a", "s3://media/uploads/ann/../bob/a.png",
            ] {
                Self.refused(try await client.look(.string(reference)), "payload/image", saying: "")
            }
            let own: JSON = "s3://media/uploads/ann/a.png"
            #expect(try await client.look(own).status == 200)
            Self.refused(try await client.look(own, user: "bob"), "payload/image", saying: "no media")
            #expect(try await client.look(own, user: "root", role: "admin").status == 200)
            let second: JSON = ["image": own, "more": [own, "s3://media/uploads/ann/none.png"]]
            Self.refused(try await client.look(payload: second), "payload/more/1", saying: "no media")
            let many: JSON = ["image": own, "more": .array(Array(repeating: own, count: 64))]
            Self.refused(try await client.look(payload: many), "payload/more/63", saying: "64")
        }
    }

    @Test func dataURLsHoldAMebibyte() async throws {
        let fixture = try await MarketplaceFixture()
        try await fixture.serve { client in
            func url(_ count: Int) -> JSON {
                .string("data:image/png;base64," + Data(repeating: 7, count: count).base64EncodedString())
            }
            let task = try await client.look(url(1 << 20)).task
            let stored = try #require(try await fixture.payload(of: task)["image"]?.string)
            let reference = try #require(MediaReference(stored))
            #expect(reference.key.hasPrefix("originals/") && reference.key.hasSuffix(".png"))
            #expect(try await fixture.media.stat(reference)?.size == 1 << 20)
            for size in [(1 << 20) + 1, 3 << 20] {
                Self.refused(try await client.look(url(size)), "payload/image", saying: "POST /upload")
            }
            Self.refused(try await client.look("data:image/png;base64,!!!"), "payload/image", saying: "RFC 2397")
            Self.refused(try await client.look("data:image/png"), "payload/image", saying: "RFC 2397")
        }
    }

    @Test func aURLIsFetchedOnceForARequestAndItsRepeat() async throws {
        // Good for one read, as a signed link may be.
        let once: @Sendable (Int, HookReceiver.Received) async -> Response = { number, _ in
            guard number == 1 else { return Response(status: .forbidden) }
            return Response(
                status: .ok,
                headers: [.contentType: "image/jpeg"],
                body: .init(byteBuffer: ByteBuffer(string: "picture"))
            )
        }
        let network = try #require(CIDR(parsing: "127.0.0.0/8"))
        try await HookReceiver.run(answer: once) { server in
            let fixture = try await MarketplaceFixture(allowing: [network])
            try await fixture.serve { client in
                let url: JSON = .string("http://127.0.0.1:\(server.port)/face.jpg")
                let first = try await client.look(url, request: "r-1")
                #expect(first.status == 200, "\(first.reason)")
                #expect(try await client.look(url, request: "r-1").task == first.task)
                #expect(server.count == 1)
                let stored = try #require(try await fixture.payload(of: first.task)["image"]?.string)
                let reference = try #require(MediaReference(stored))
                let content = try await fixture.media.read(reference, offset: 0)
                #expect(content.attributes.size == 7 && content.attributes.contentType == "image/jpeg")
                // Another request and another user's are none of these.
                Self.refused(try await client.look(url, request: "r-2"), "payload/image", saying: "403")
                Self.refused(try await client.look(url, user: "bob", request: "r-1"), "payload/image", saying: "403")
            }
        }
    }

    @Test func whatCanNotBeFetchedIsToldWhy() async throws {
        let answers: @Sendable (Int, HookReceiver.Received) async -> Response = { number, received in
            switch received.path {
            case "/large": Response(status: .ok, body: .init(byteBuffer: ByteBuffer(repeating: 1, count: 5000)))
            case "/endless":
                Response(
                    status: .ok,
                    body: ResponseBody { writer in
                        for _ in 0..<1000 { try await writer.write(ByteBuffer(repeating: 1, count: 4096)) }
                        try await writer.finish(nil)
                    }
                )
            case "/moved": Response(status: .found, headers: [.location: "/large"])
            case "/silent": await HookReceiver.never(number, received)
            default: Response(status: .notFound)
            }
        }
        let network = try #require(CIDR(parsing: "127.0.0.0/8"))
        try await HookReceiver.run(answer: answers) { server in
            let fixture = try await MarketplaceFixture(allowing: [network]) {
                $0.fetchLimit = 4999
                $0.requestTimeout = .seconds(2)
            }
            let base = "http://127.0.0.1:\(server.port)"
            try await fixture.serve { client in
                for (url, words) in [
                    ("\(base)/large", "4999"), ("\(base)/endless", "4999"), ("\(base)/moved", "redirects"),
                    ("\(base)/none", "404"), ("http://127.0.0.1:1/", "unreachable"),
                    ("http://10.0.0.1/", "public"), ("http://user:secret@127.0.0.1/", "user info"),
                ] {
                    Self.refused(try await client.look(.string(url)), "payload/image", saying: words)
                }
                let silent = try await client.look(.string("\(base)/silent"))
                #expect(silent.status == 503 && silent.code == "CO_500" && silent.isRefusal)
                #expect(silent.headers[.retryAfter] != nil)
            }
            let strict = try await MarketplaceFixture()
            try await strict.serve { client in
                let before = server.count
                for host in ["127.0.0.1", "127.1", "localhost"] {
                    let answer = try await client.look(.string("http://\(host):\(server.port)/large"))
                    Self.refused(answer, "payload/image", saying: "public")
                }
                #expect(server.count == before)
            }
        }
    }

    @Test func withoutTheMediaStoreOnlyCallsWithMediaAreRefused() async throws {
        // A file where the folder should be: nothing can be read or written there.
        let gone = FilesMediaStore(
            folder: "/dev/null/media",
            bucket: "media",
            baseURL: "http://localhost",
            secret: Array("0123456789abcdef".utf8)
        )
        let fixture = try await MarketplaceFixture(parts: { $0.media = gone })
        try await fixture.serve { client in
            for image in ["s3://media/uploads/ann/a.png", "data:image/png;base64,AAAA"] as [JSON] {
                let answer = try await client.look(image)
                #expect(answer.status == 503 && answer.code == "CO_504" && answer.isRefusal, "\(answer.reason)")
                #expect(answer.headers[.retryAfter] != nil)
            }
            #expect(try await client.send(.get, "/download?s3_key=a.png").code == "CO_504")
            #expect(try await client.call().status == 200)
            let ready = try await client.send(.get, "/readyz", token: nil)
            #expect(ready.status == 200 && ready.json["status"] == "degraded")
        }
    }

    @Test func signedURLsCarryMediaUpAndDown() async throws {
        let fixture = try await MarketplaceFixture { $0.uploadLimit = 10 }
        try await fixture.serve { client in
            func path(_ url: JSON?) -> String { String((url?.string ?? "").dropFirst("http://localhost".count)) }
            let upload = try await client.send(.post, "/upload?s3_key=a.txt")
            let put = path(upload.json["data"]?["presignedUrl"])
            #expect(try await client.status(.put, put, Array("elevenbytes".utf8)) == 413)
            #expect(try await client.status(.put, put.dropLast(1) + "_", Array("ten".utf8)) == 403)
            #expect(try await client.status(.put, put, Array("ten bytes!".utf8)) == 200)
            let download = try await client.send(.get, "/download?s3_key=a.txt")
            let get = path(download.json["data"]?["url"])
            let head = try await client.client.execute(uri: get, method: .head, headers: [:], body: nil)
            #expect(head.status == .ok && head.headers[.contentLength] == "10" && head.body.readableBytes == 0)
            let read = try await client.client.execute(uri: get, method: .get, headers: [:], body: nil)
            #expect(String(buffer: read.body) == "ten bytes!" && read.headers[.xContentTypeOptions] == "nosniff")
            #expect(try await client.status(.put, get, Array("x".utf8)) == 403)
            #expect(try await client.send(.get, "/download?s3_key=a.txt", user: "bob").status == 404)
        }
    }
}

extension MarketplaceClient {
    func look(
        _ image: JSON = "",
        payload: JSON? = nil,
        user: String = "ann",
        role: String? = nil,
        request: String? = nil
    ) async throws -> Answer {
        let body: JSON = ["method": "look", "payload": payload ?? ["image": image]]
        return try await send(.post, "/call", body, user: user, role: role, request: request)
    }

    func status(_ method: HTTPRequest.Method, _ path: some StringProtocol, _ bytes: [UInt8]) async throws -> Int {
        try await client.execute(uri: String(path), method: method, headers: [:], body: ByteBuffer(bytes: bytes)).status
            .code
    }
}

extension MarketplaceFixture {
    func payload(of task: String) async throws -> JSON {
        let id = try #require(MeshID(task))
        let view = try #require(try await ledger.task(id))
        return try JSON(parsing: view.task.payload)
    }
}
