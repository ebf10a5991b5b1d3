// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Which addresses a client may connect to.
///
/// The policy is applied to every resolved address at the moment of connecting, so neither a name that resolves
/// differently the second time nor an odd spelling of an address gets around it. A refusal is `forbidden`.
public enum NetworkPolicy: Sendable, Hashable {
    /// Every address: for the operator's own servers.
    case anywhere
    /// Addresses of the public internet, and those of the given ranges: for URLs that clients give.
    ///
    /// Refused are loopback, private, shared (CGNAT), link-local with the metadata service, unique-local,
    /// multicast, documentation and unspecified addresses, and their mapped, NAT64 and 6to4 forms.
    case publicOnly(allowing: [CIDR])

    /// Refuses a URL that can't be right, without any look-up.
    ///
    /// - Throws: `invalid` for a scheme other than `http` and `https`, a missing host, credentials in the URL and
    ///   characters that no URL has; `forbidden` for a literal address that the policy refuses.
    public func check(url: String) throws(TransferError) {
        let parts = try TransferURL(url)
        guard let address = NetworkAddress(literal: parts.host) else {
            let isLocal = parts.host == "localhost" || parts.host.hasSuffix(".localhost")
            guard isLocal, !permits(NetworkAddress(v4: 0x7F00_0001)), !permits(NetworkAddress(v6: 1)) else { return }
            throw TransferError(.forbidden, "\(parts.host) is not an address of the public internet")
        }
        guard permits(address) else {
            throw TransferError(.forbidden, "\(parts.host) is not an address of the public internet")
        }
    }

    func permits(_ address: NetworkAddress) -> Bool {
        guard case .publicOnly(let ranges) = self else { return true }
        if ranges.contains(where: { $0.contains(address) }) { return true }
        if let mapped = address.mapped, ranges.contains(where: { $0.contains(mapped) }) { return true }
        return address.isPublic
    }
}
