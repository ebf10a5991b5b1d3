// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A range of addresses, such as `10.0.0.0/8` or `fd00::/8`.
public struct CIDR: Sendable, Hashable {
    private let network: NetworkAddress
    private let prefix: Int

    /// Parses `address/prefix`, or a single address; nil when it is neither, or has bits beyond the prefix.
    public init?(parsing text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = NetworkAddress(literal: String(parts[0])) else { return nil }
        var prefix = address.width
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...address.width).contains(number) else { return nil }
            prefix = number
        }
        guard Self.masked(address, prefix) == address.value else { return nil }
        network = address
        self.prefix = prefix
    }

    func contains(_ address: NetworkAddress) -> Bool {
        address.width == network.width && Self.masked(address, prefix) == network.value
    }

    private static func masked(_ address: NetworkAddress, _ prefix: Int) -> UInt128 {
        let free = address.width - prefix
        return free >= 128 ? 0 : (address.value >> UInt128(free)) << UInt128(free)
    }
}

extension NetworkAddress {
    /// Reads an address written the one proper way; nil for names and for odd spellings.
    init?(literal text: String) {
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self.init(bytes: withUnsafeBytes(of: &v6) { Array($0) })
    }

    /// Reads an IPv4 address in one of the spellings that resolvers take as well: `127.1`, `0x7f000001`, `017700000001`.
    init?(oddLiteral text: String) {
        var v4 = in_addr()
        guard let first = text.utf8.first, (0x30...0x39).contains(first), inet_aton(text, &v4) != 0 else { return nil }
        self.init(v4: UInt32(bigEndian: v4.s_addr))
    }

    /// The port of a resolved socket address; 0 for families other than IPv4 and IPv6.
    static func port(of address: UnsafePointer<sockaddr>) -> UInt16 {
        switch CInt(address.pointee.sa_family) {
        case AF_INET: UInt16(bigEndian: UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_port)
        case AF_INET6: UInt16(bigEndian: UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self).sin6_port)
        default: 0
        }
    }

    /// Reads the address of a resolved socket address; nil for families other than IPv4 and IPv6.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch CInt(address.pointee.sa_family) {
        case AF_INET:
            let raw = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self)
            self.init(v4: UInt32(bigEndian: raw.sin_addr.s_addr))
        case AF_INET6:
            var raw = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self).sin6_addr
            self.init(bytes: withUnsafeBytes(of: &raw) { Array($0) })
        default:
            return nil
        }
    }
}
