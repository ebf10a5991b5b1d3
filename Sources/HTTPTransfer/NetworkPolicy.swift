// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// Which addresses a client may connect to.
///
/// The policy is applied to every resolved address at the moment of connecting, so neither a name that resolves
/// differently the second time nor an odd spelling of an address gets around it. A refusal is `forbidden`.
public enum NetworkPolicy: Sendable, Hashable {
    /// Every address: for the operator's own servers.
    case anywhere
    /// Addresses of the public internet, and those of the given ranges: for URLs that clients give.
    ///
    /// On public addresses, ports that belong to other protocols (mail, remote shells, …) are refused as well.
    /// Refused are loopback, private, shared (CGNAT), link-local with the metadata service, unique-local,
    /// multicast, documentation and unspecified addresses, and their mapped, NAT64 and 6to4 forms.
    case publicOnly(allowing: [CIDR])

    /// Refuses a URL that can't be right, without any look-up.
    ///
    /// - Throws: `invalid` for a scheme other than `http` and `https`, a missing host, credentials in the URL and
    ///   characters that no URL has; `forbidden` for a literal address that the policy refuses.
    public func check(url: String) throws(TransferError) {
        let parts = try TransferURL(url)
        guard self != .anywhere else { return }
        guard !parts.host.contains("%") else {
            throw TransferError(.invalid, "the host must be written without percent signs")
        }
        // The root's dot says nothing: localhost. is localhost.
        let host = parts.host.hasSuffix(".") ? String(parts.host.dropLast()) : parts.host
        if let address = NetworkAddress(literal: host) ?? NetworkAddress(oddLiteral: host) {
            if let reason = refusal(of: address, port: parts.port) {
                throw TransferError(.forbidden, "\(parts.host) \(reason)")
            }
            return
        }
        let isLocal = host == "localhost" || host.hasSuffix(".localhost")
        guard isLocal, let reason = refusal(of: NetworkAddress(v4: 0x7F00_0001), port: parts.port),
            refusal(of: NetworkAddress(v6: 1), port: parts.port) != nil
        else { return }
        throw TransferError(.forbidden, "\(parts.host) \(reason)")
    }

    /// Why a connection to a resolved address is refused; under a policy, only IPv4 and IPv6 are connected to.
    func refusal(of address: UnsafePointer<sockaddr>) -> String? {
        guard self != .anywhere else { return nil }
        guard let target = NetworkAddress(address) else { return "is not an address of the public internet" }
        return refusal(of: target, port: NetworkAddress.port(of: address))
    }

    /// Why a connection to this address and port is refused, in words that follow its name; nil when it is not.
    func refusal(of address: NetworkAddress, port: UInt16) -> String? {
        guard case .publicOnly(let ranges) = self else { return nil }
        if ranges.contains(where: { $0.contains(address) }) { return nil }
        if let mapped = address.mapped, ranges.contains(where: { $0.contains(mapped) }) { return nil }
        guard address.isPublic else { return "is not an address of the public internet" }
        return Self.otherProtocols.contains(port) ? "has port \(port), which is not one for HTTP" : nil
    }

    /// The "bad ports" of the Fetch standard: a POST there might be taken for another protocol's words.
    private static let otherProtocols: Set<UInt16> = [
        1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
        110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
        531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
        5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    ]
}
