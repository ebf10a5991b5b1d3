// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// Ten ports on loopback that no other mesh of this machine takes, also while the roles on them are down.
///
/// They lie below the range that the kernel gives to outgoing connections and below that of the servers' script. The
/// first of them stays bound while this lives: who looks for a block sees that it is taken.
final class PortBlock: Sendable {
    private let guardian: CInt
    /// The first of the ports that may be used.
    let first: Int

    /// Looks for a free block.
    init() throws {
        for _ in 0..<200 {
            let base = 10 * Int.random(in: 1000..<2000)
            guard let guardian = Self.bound(base) else { continue }
            let others = (1..<10).map { Self.bound(base + $0) }
            for case let descriptor? in others { close(descriptor) }
            if others.allSatisfy({ $0 != nil }) {
                self.guardian = guardian
                first = base + 1
                return
            }
            close(guardian)
        }
        throw MeshFailure("no ten free ports between 10000 and 20000")
    }

    deinit { close(guardian) }

    private static func bound(_ port: Int) -> CInt? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code == 0 { return descriptor }
        close(descriptor)
        return nil
    }
}
