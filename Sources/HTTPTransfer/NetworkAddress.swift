// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The address of a host, IPv4 or IPv6, as a number.
struct NetworkAddress: Sendable, Hashable {
    /// 32 for IPv4, 128 for IPv6.
    var width: Int
    /// The address in the host's byte order; IPv4 in the lowest 32 bits.
    var value: UInt128

    init(v4 value: UInt32) {
        width = 32
        self.value = UInt128(value)
    }

    init(v6 value: UInt128) {
        width = 128
        self.value = value
    }

    /// Reads the 4 or 16 bytes of an address in network order.
    init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        width = bytes.count * 8
        value = bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// The IPv4 address that an IPv6 address stands for: mapped (`::ffff:a.b.c.d`), NAT64 (`64:ff9b::/96`), 6to4.
    var embedded: NetworkAddress? {
        guard width == 128 else { return nil }
        if value >> 32 == 0xFFFF || value >> 32 == (UInt128(0x0064_FF9B) << 64) {
            return NetworkAddress(v4: UInt32(truncatingIfNeeded: value))
        }
        if value >> 112 == 0x2002 { return NetworkAddress(v4: UInt32(truncatingIfNeeded: value >> 80)) }
        return nil
    }

    /// The IPv4 address behind `::ffff:a.b.c.d`, which is one and the same host; nil for all others.
    var mapped: NetworkAddress? { width == 128 && value >> 32 == 0xFFFF ? embedded : nil }

    /// Whether the address is one of the public internet, whichever form it is written in.
    var isPublic: Bool {
        if let embedded { return embedded.isPublic }
        if width == 32 { return !Self.reservedV4.contains { $0.contains(self) } }
        // Only 2000::/3 is global unicast: loopback, link-local, unique-local and multicast all lie outside it.
        return value >> 125 == 0b001 && !Self.reservedV6.contains { $0.contains(self) }
    }

    /// The special-purpose ranges of RFC 6890 and its registry.
    private static let reservedV4: [CIDR] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    ].compactMap { CIDR(parsing: $0) }

    private static let reservedV6: [CIDR] = ["2001::/23", "2001:db8::/32", "3fff::/20"].compactMap { CIDR(parsing: $0) }
}
