// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import MediaStoreS3
import Plumbing
import Testing

/// The examples of Amazon's documentation of Signature Version 4 for S3, 24 May 2013.
@Suite struct S3SignerTests {
    let signer = S3Signer(
        region: "us-east-1",
        accessKey: "AKIAIOSFODNN7EXAMPLE",
        secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    )
    let moment = Timestamp(microseconds: 1_369_353_600_000_000)
    let host = "examplebucket.s3.amazonaws.com"
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private func signature(
        _ method: String,
        _ path: String,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        hash: String
    ) -> Substring? {
        signer.headers(
            method: method,
            path: path,
            query: query,
            headers: [("host", host)] + headers,
            payloadHash: hash,
            at: moment
        ).first { $0.name == "authorization" }?.value.split(separator: "Signature=").last
    }

    @Test func getObjectWithRange() {
        #expect(
            signature("GET", "/test.txt", headers: [("range", "bytes=0-9")], hash: empty)
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        )
    }

    @Test func putObject() {
        let headers = [
            (name: "date", value: "Fri, 24 May 2013 00:00:00 GMT"),
            (name: "x-amz-storage-class", value: "REDUCED_REDUNDANCY"),
        ]
        #expect(
            signature(
                "PUT",
                "/test%24file.text",
                headers: headers,
                hash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
            )
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        )
    }

    @Test func getBucketLifecycle() {
        #expect(
            signature("GET", "/", query: [("lifecycle", "")], hash: empty)
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        )
    }

    @Test func listObjects() {
        #expect(
            signature("GET", "/", query: [("max-keys", "2"), ("prefix", "J")], hash: empty)
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        )
    }

    @Test func presignedGet() {
        let query = signer.presignedQuery(method: "GET", path: "/test.txt", host: host, seconds: 86_400, at: moment)
        #expect(query.hasSuffix("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
        #expect(query.hasPrefix("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"))
    }
}
