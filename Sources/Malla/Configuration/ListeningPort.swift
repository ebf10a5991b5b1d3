// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Glibc

/// Looks, before a role starts, whether it can listen where it is told to.
///
/// A server that fails to bind takes the whole role down with it; here it costs one clear line.
enum ListeningPort {
    /// Binds the address for a moment.
    ///
    /// - Parameter setting: what the operator changes to have another port: `--port or APP_API_PORT`.
    /// - Throws: ``ConfigurationError`` that says what is wrong with the address or the port.
    static func check(host: String, port: Int, setting: String) throws(ConfigurationError) {
        guard (0...65535).contains(port) else {
            throw ConfigurationError("port \(port) can't be used: give a port from 0 to 65535 (\(setting))")
        }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        let answer = getaddrinfo(host, String(port), &hints, &found)
        guard answer == 0, let address = found?.pointee else {
            throw ConfigurationError(
                "can't listen on '\(host)': \(String(cString: gai_strerror(answer))); give an address of this machine"
            )
        }
        defer { freeaddrinfo(found) }
        let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
        guard descriptor >= 0 else { throw refusal(host, port, setting) }
        defer { close(descriptor) }
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 else { throw refusal(host, port, setting) }
    }

    private static func refusal(_ host: String, _ port: Int, _ setting: String) -> ConfigurationError {
        let code = errno
        let advice =
            switch code {
            case EADDRINUSE: "another process listens there; stop it, or give another port (\(setting))"
            case EACCES: "ports below 1024 need root; give another port (\(setting))"
            case EADDRNOTAVAIL: "give an address of this machine"
            default: "give another address or port (\(setting))"
            }
        return ConfigurationError("can't listen on \(host):\(port): \(String(cString: strerror(code))); \(advice)")
    }
}
