// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing

@testable import Callbacks
@testable import HTTPTransfer

/// What strangers write into URLs and headers: addresses, origins, `Retry-After`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNetwork(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.run(start, count) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let now = Timestamp(microseconds: 1_792_000_000_000_000)
        if let wait = RetryAfter.parse(text, now: now) {
            Fuzz.require(wait >= .zero, "a wait below zero")
            _ = now + min(wait, .seconds(86_400))
        }
        _ = WebhookSecret(text)
        for url in [text, "http://\(text)/"] { check(url: url) }
        address(text)
        _ = CIDR(parsing: text)
        if bytes.count == 16 { raw(bytes) }
    }
}

private let policy = NetworkPolicy.publicOnly(allowing: [])

private func check(url: String) {
    guard (try? policy.check(url: url)) != nil, let parts = try? TransferURL(url) else { return }
    // What was let through as an address is a public one by the C library as well.
    var address = in_addr()
    if inet_pton(AF_INET, parts.host, &address) == 1 { Fuzz.require(isPublic(address), "\(url) is not public") }
    Fuzz.require(parts.host != "localhost", "localhost was let through")
    // Foundation may refuse more, but must see the same host: two readings of one URL are how checks are passed by.
    guard let origin = URLOrigin(url) else { return }
    let host = origin.host.hasPrefix("[") ? String(origin.host.dropFirst().dropLast()) : origin.host
    let ours = parts.host.removingPercentEncoding ?? parts.host
    Fuzz.require(host == ours || host == parts.host || !isASCII(host), "\(url) is at \(parts.host) and at \(host)")
}

private func isASCII(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }

private func isPublic(_ address: in_addr) -> Bool {
    let value = UInt32(bigEndian: address.s_addr)
    let first = value >> 24
    return first != 0 && first != 10 && first != 127 && first < 224 && value >> 16 != 0xA9FE && value >> 16 != 0xC0A8
        && value >> 20 != 0xAC1
}

private func address(_ text: String) {
    guard let address = NetworkAddress(literal: text) else { return }
    if address.width == 32 {
        let mapped = NetworkAddress(v6: 0xFFFF << 32 | address.value)
        Fuzz.same(mapped.isPublic, address.isPublic, "the mapped form of \(text)")
        Fuzz.same(
            policy.refusal(of: mapped, port: 443) == nil,
            policy.refusal(of: address, port: 443) == nil,
            "the mapped form of \(text)"
        )
    }
}

private func raw(_ bytes: [UInt8]) {
    guard let address = NetworkAddress(bytes: bytes) else { fatalError("16 bytes are no address") }
    guard address.isPublic else { return }
    Fuzz.require(bytes[0] >> 5 == 1 || address.embedded != nil, "\(bytes) is outside of 2000::/3")
    if let embedded = address.embedded {
        Fuzz.require(embedded.isPublic, "\(bytes) holds an address that is not public")
    }
}
