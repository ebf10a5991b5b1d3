// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Crypto
import Foundation
import MallaTestKit
import MediaStore
import Plumbing
import Testing

@testable import MediaStoreS3

/// Our signatures against those of botocore, on random requests.
@Suite(.enabled(if: Botocore.mustRun, "no Python with botocore (MALLA_TEST_PYTHON)"), .timeLimit(.minutes(1)))
struct S3BotocoreTests {
    @Test func requestsAreSignedAlike() throws {
        var random = SeededGenerator(seed: 20_261_121)
        let requests = (0..<400).map { _ in SignedCase.random(&random, presigned: false) }
        let theirs = try Botocore.answers(requests)
        for (request, their) in zip(requests, theirs) {
            let settings = request.settings
            let address = settings.address(of: request.key)
            let headers = request.signer.headers(
                method: request.method,
                path: address.path,
                query: request.query.map { ($0[0], $0[1]) },
                headers: [("host", address.host)] + request.headers.map { ($0[0], $0[1]) },
                payloadHash: request.body.map { MediaNaming.hexadecimal(SHA256.hash(data: Data($0.utf8))) }
                    ?? S3Signer.unsignedPayload,
                at: request.moment
            )
            #expect(headers.last?.value == their, "\(request)")
        }
        #expect(theirs.count == 400)
    }

    @Test func presignedURLsAreSignedAlike() throws {
        var random = SeededGenerator(seed: 20_261_122)
        let requests = (0..<200).map { _ in SignedCase.random(&random, presigned: true) }
        let theirs = try Botocore.answers(requests)
        for (request, their) in zip(requests, theirs) {
            let address = request.settings.address(of: request.key)
            let query = request.signer.presignedQuery(
                method: request.method,
                path: address.path,
                host: address.host,
                seconds: request.expires ?? 0,
                at: request.moment
            )
            #expect(query.split(separator: "&").last.map(String.init) == their, "\(request)")
            // Each parameter once, and nothing but what a URL may hold.
            #expect(
                Set(query.split(separator: "&").map { $0.prefix { $0 != "=" } }).count == (request.token == nil ? 6 : 7)
            )
            #expect(query.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x2B })
        }
        #expect(theirs.count == 200)
    }
}

/// A request that both sides sign.
private struct SignedCase: Codable {
    var method: String
    var endpoint: String
    var bucket: String
    var key: String
    var query: [[String]]
    var headers: [[String]]
    /// The body whose hash is signed; nil for `UNSIGNED-PAYLOAD`.
    var body: String?
    var token: String?
    var region: String
    var time: String
    var expires: Int?
    /// When `time` is.
    var microseconds: Int64

    var moment: Timestamp { Timestamp(microseconds: microseconds) }

    var settings: S3Settings {
        S3Settings(
            endpoint: endpoint,
            region: region,
            bucket: bucket,
            accessKey: "AKIAIOSFODNN7EXAMPLE",
            secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            sessionToken: token
        )
    }

    var signer: S3Signer {
        S3Signer(
            region: settings.region,
            accessKey: settings.accessKey,
            secretKey: settings.secretKey,
            sessionToken: token
        )
    }

    static func random(_ random: inout SeededGenerator, presigned: Bool) -> SignedCase {
        func one<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        func text(_ lengths: ClosedRange<Int>) -> String {
            let alphabet = Array("aZ09-._~ +%/=&?#@:;,!$'()*\"<>|^`{}[]üé写真🙂")
            return String((0..<Int.random(in: lengths, using: &random)).map { _ in one(alphabet) })
        }
        let names = ["prefix", "marker", "", "a b", "ü", "x+y", "%41", "uploads", "a", "A", "x-y", "~", "versionId"]
        let fields = ["x-amz-meta-a", "x-amz-meta-b", "Content-Type", "range", "If-None-Match", "X-Amz-Acl"]
        let values = ["a", "", "  a   b\t c ", "bytes=0-9", "a,b", "\"x  y\"", "text/plain; charset=utf-8", "*"]
        let seconds = Int64.random(in: 951_000_000...4_102_444_800, using: &random)
        return SignedCase(
            method: one(presigned ? ["GET", "PUT"] : ["GET", "PUT", "POST", "HEAD", "DELETE"]),
            endpoint: one([
                "http://127.0.0.1:9000", "https://s3.eu-central-1.amazonaws.com", "http://minio:80",
                "https://minio:443", "https://minio:8443/base/path", "http://[::1]:9000",
            ]),
            bucket: one(["media", "a.b-c"]),
            key: one(["", "a//b", "%20%", "a+b ~", "..", "//"]) + text(1...40),
            query: presigned
                ? [] : (0..<Int.random(in: 0...5, using: &random)).map { _ in [one(names), text(0...12)] },
            headers: presigned
                ? [] : (0..<Int.random(in: 0...5, using: &random)).map { _ in [one(fields), one(values)] },
            body: one([nil, "", text(0...100)]),
            token: one([nil, "FwoGZXIvYXdzE+//8=" + text(0...9).filter(\.isASCII).replacing(" ", with: "")]),
            region: one(["us-east-1", "eu-central-1", "auto", "garage"]),
            time: S3Signer.stamp(Timestamp(microseconds: seconds * 1_000_000)),
            expires: presigned ? Int.random(in: 1...604_800, using: &random) : nil,
            microseconds: seconds * 1_000_000
        )
    }
}

/// botocore in a Python process: requests as JSON lines in, signatures out.
private enum Botocore {
    /// True where botocore is there, and in continuous integration, where its absence is a failure.
    static let mustRun: Bool = {
        if TestServers.isCI { return true }
        return (try? run("import botocore", input: Data())) != nil
    }()

    static func answers(_ requests: [SignedCase]) throws -> [String] {
        let encoder = JSONEncoder()
        var lines = Data()
        for request in requests { lines += try encoder.encode(request) + Data("\n".utf8) }
        return try JSONDecoder().decode([String].self, from: run(program, input: lines))
    }

    private static func run(_ program: String, input: Data) throws -> Data {
        let folder = FileManager.default.temporaryDirectory.appending(path: "malla-botocore-\(MeshID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "requests")
        try input.write(to: file)
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [TestPrograms.packagesPython, "-c", program]
        process.standardInput = try FileHandle(forReadingFrom: file)
        process.standardOutput = output
        try process.run()
        let answer = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "botocore could not sign")
        return answer
    }

    private static let program = """
        import datetime, json, sys
        import botocore.auth as auth
        from botocore.awsrequest import AWSRequest
        from botocore.config import Config
        from botocore.credentials import Credentials
        from botocore.utils import percent_encode

        answers = []
        for line in sys.stdin:
            case = json.loads(line)
            now = datetime.datetime.strptime(case["time"], "%Y%m%dT%H%M%SZ")
            auth.get_current_datetime = lambda remove_tzinfo=True: now
            credentials = Credentials(
                "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", case.get("token"))
            url = case["endpoint"] + "/" + case["bucket"] + "/" + percent_encode(case["key"], safe="/~")
            request = AWSRequest(
                method=case["method"], url=url, data=(case.get("body") or "").encode(),
                params=[tuple(pair) for pair in case["query"]])
            for name, value in case["headers"]:
                request.headers[name] = value
            signed = case.get("body") is not None
            request.context["client_config"] = Config(s3={"payload_signing_enabled": signed})
            if case.get("expires"):
                request.data, request.params = b"", {}
                auth.S3SigV4QueryAuth(credentials, "s3", case["region"], case["expires"]).add_auth(request)
                answers.append(request.url.rsplit("&", 1)[1])
            else:
                auth.S3SigV4Auth(credentials, "s3", case["region"]).add_auth(request)
                answers.append(request.headers["Authorization"].replace(", ", ","))
        json.dump(answers, sys.stdout)
        """
}
