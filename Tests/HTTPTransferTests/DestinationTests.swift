// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Testing

@testable import HTTPTransfer

/// Which URLs of clients are refused before anything is looked up, and which addresses are never connected to.
@Suite struct DestinationTests {
    private let policy = NetworkPolicy.publicOnly(allowing: [])

    private func code(_ url: String) -> TransferError.Code? {
        do throws(TransferError) {
            try policy.check(url: url)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: [
        // Loopback, in every spelling that a resolver reads as an address.
        "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7F.1",
        "017700000001", "0177.0.0.1", "0177.0.0.01", "0x7f.0x0.0x0.0x1", "0", "0.0.0.0", "0x0", "00000000177.1",
        "localhost", "LocalHost", "localhost.", "a.localhost", "a.LOCALHOST.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]",
        // Private, shared, link-local with the metadata services, and the rest of the special-purpose ranges.
        "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200",
        "169.254.169.254", "2852039166", "0xa9fea9fe", "0xA9.0xFE.0xA9.0xFE", "0251.0376.0251.0376", "169.254.43518",
        "0.1.2.3", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "4294967295",
        // IPv6: unique-local with a metadata service, link-local, multicast, documentation, and what holds IPv4.
        "[fd00:ec2::254]", "[fc00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]",
        "[100::1]", "[5f00::1]", "[2001::1]", "[2001:0:7f00:1::1]",
        "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::ffff:0:127.0.0.1]",
        "[::127.0.0.1]", "[::a9fe:a9fe]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a00:1]",
        "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2002:a00:1::]",
    ]) func isForbidden(_ host: String) {
        #expect(code("http://\(host)/") == .forbidden)
        #expect(code("https://\(host):8443/path?query#fragment") == .forbidden)
    }

    @Test(arguments: [
        // User info and its look-alikes, zones, encodings, other alphabets' digits and dots.
        "http://example.com@127.0.0.1/", "http://127.0.0.1@example.com/", "http://a:b@example.com/",
        "http://example.com\\@127.0.0.1/", "http://[fe80::1%25eth0]/", "http://[::1%25lo]/", "http://%31%32%37.0.0.1/",
        "http://127%2e0%2e0%2e1/", "http://loc%61lhost/", "http://１２７.0.0.1/", "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/", "http://ｌocalhost/", "http://exa\u{AD}mple.com/", "http://пример.рф/",
        "http:// 127.0.0.1/", "http://127.0.0.1 .example.com/", "http://exam\tple.com/", "http://a\r\nHost:b/",
        "http://example.com\0/",
        // No host, no proper port.
        "http:///127.0.0.1/", "http://", "http:/127.0.0.1/", "http:127.0.0.1", "http://:80/", "http://a:b/",
        "http://a:65536/", "http://a:-1/", "http://a:80:80/", "http://[::1]80/", "http://[::1/", "//127.0.0.1/", "",
        // Other schemes.
        "file:///etc/passwd", "FILE:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/stat",
        "ftp://example.com/", "ldap://example.com/", "smb://example.com/", "tftp://example.com/", "ws://example.com/",
        "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "jar:http://example.com!/",
        "data:text/plain,x", "javascript:alert(1)", "httpx://example.com/", " http://example.com/",
    ]) func isInvalid(_ url: String) {
        #expect(code(url) == .invalid)
    }

    @Test(arguments: [
        "http://example.com/", "HTTPS://EXAMPLE.COM./a?b#c", "http://8.8.8.8/", "http://134744072/",
        "http://[2a00::1]/",
        "http://[::ffff:8.8.8.8]/", "http://[64:ff9b::808:808]/", "http://[2002:808:808::]/",
        "http://xn--e1afmkfd.xn--p1ai/", "http://example.com:8080/", "http://172.32.0.1/", "http://100.128.0.1/",
        "http://127.0.0.1.example.com/", "http://localhost.example.com/", "http://0x7f.example.com/",
    ]) func isFine(_ url: String) {
        #expect(code(url) == nil)
    }

    @Test func portsOfOtherProtocolsAreRefusedOnPublicAddresses() throws {
        for port in [22, 23, 25, 110, 143, 465, 587, 6667] {
            #expect(code("http://8.8.8.8:\(port)/") == .forbidden, "\(port)")
        }
        for port in [80, 81, 443, 1024, 3000, 8080, 65_535] {
            #expect(code("http://8.8.8.8:\(port)/") == nil, "\(port)")
        }
        // What an operator allows is the operator's to judge.
        let network = try #require(CIDR(parsing: "10.0.0.0/8"))
        try NetworkPolicy.publicOnly(allowing: [network]).check(url: "http://10.0.0.1:25/")
    }

    @Test func anAllowedRangeOpensNothingElse() throws {
        let network = try #require(CIDR(parsing: "10.1.0.0/16"))
        let policy = NetworkPolicy.publicOnly(allowing: [network])
        for host in ["10.1.2.3", "10.1.515", "[::ffff:10.1.2.3]"] { try policy.check(url: "http://\(host)/") }
        for host in ["10.2.0.1", "127.0.0.1", "[::10.1.2.3]", "[64:ff9b::10.1.2.3]", "[fd00:ec2::254]"] {
            #expect(throws: TransferError.self, "\(host)") { try policy.check(url: "http://\(host)/") }
        }
    }

    /// Whatever form it has, an IPv4 address that is refused is refused inside of IPv6 too.
    @Test func whatHoldsAnAddressIsJudgedByIt() throws {
        for text in ["0.0.0.1", "10.9.8.7", "100.64.1.1", "127.9.9.9", "169.254.169.254", "192.168.0.9", "224.1.1.1"] {
            let inner = try #require(NetworkAddress(literal: text))
            let forms =
                [inner.value | 0xFFFF << 32, inner.value, inner.value | UInt128(0x0064_FF9B) << 96]
                + [UInt128(0x2002) << 112 | inner.value << 80, inner.value | UInt128(0xFFFF) << 48]
            for form in forms {
                let address = NetworkAddress(v6: form)
                #expect(policy.refusal(of: address, port: 80) != nil, "\(text) in \(String(form, radix: 16))")
            }
        }
    }
}
