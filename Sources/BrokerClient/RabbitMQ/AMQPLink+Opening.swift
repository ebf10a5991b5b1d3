// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import CRabbitMQ
internal import Plumbing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

extension AMQPLink {
    /// Where Linux distributions keep the certificates of the CAs they trust.
    private static let systemCAs = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    ]

    /// How long a call on an open connection may wait for its answer.
    static let callPatience: Duration = .seconds(4)

    /// Opens the socket, with TLS where it is wanted; blocks for at most `limit` (and name resolution).
    static func open(
        _ raw: amqp_connection_state_t,
        _ settings: RabbitSettings,
        _ limit: Duration
    ) throws(AMQPFailure) {
        var time = timeval(limit)
        let socket: OpaquePointer?
        if let tls = settings.tls {
            socket = amqp_ssl_socket_new(raw)
            if let socket { try secure(socket, tls) }
        } else {
            socket = amqp_tcp_socket_new(raw)
        }
        guard let socket else { throw AMQPFailure(kind: .broken, reason: "no memory for a socket") }
        let status = amqp_socket_open_noblock(socket, settings.host, CInt(settings.port), &time)
        try check(status, "connecting to \(settings.address)")
        // Both are copied; without them a silent server would hold the loop for ever.
        amqp_set_handshake_timeout(raw, &time)
        amqp_set_rpc_timeout(raw, &time)
    }

    private static func secure(_ socket: OpaquePointer, _ tls: RabbitSettings.TLS) throws(AMQPFailure) {
        amqp_ssl_socket_set_verify_peer(socket, tls.verify ? 1 : 0)
        amqp_ssl_socket_set_verify_hostname(socket, tls.verify ? 1 : 0)
        guard tls.verify else { return }
        // librabbitmq 0.11 does not load the system's trust store by itself.
        guard let file = tls.caFile ?? systemCAs.first(where: { access($0, R_OK) == 0 }) else {
            throw AMQPFailure(kind: .refused, reason: "this system has no CA certificates; name a CA file")
        }
        guard amqp_ssl_socket_set_cacert(socket, file) == 0 else {
            throw AMQPFailure(kind: .refused, reason: "the CA file \(file) can't be read as PEM certificates")
        }
    }

    /// Throws when a status is a failure.
    static func check(_ status: CInt, _ what: String) throws(AMQPFailure) {
        guard status != 0 else { return }
        let isCertificate =
            status == AMQP_STATUS_SSL_PEER_VERIFY_FAILED.rawValue
            || status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED.rawValue
        throw AMQPFailure(
            kind: isCertificate ? .refused : .broken,
            reason: "\(what): \(String(cString: amqp_error_string2(status)))"
        )
    }

    /// Throws when an answer is a failure.
    static func check(_ reply: amqp_rpc_reply_t, _ what: String, isLogin: Bool = false) throws(AMQPFailure) {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL:
            return
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            throw serverFailure(reply.reply, what, isLogin: isLogin)
        default:
            try check(reply.library_error, what)
            throw AMQPFailure(kind: .broken, reason: "\(what) had no answer")
        }
    }

    private static func serverFailure(_ method: amqp_method_t, _ what: String, isLogin: Bool) -> AMQPFailure {
        guard let decoded = method.decoded else { return AMQPFailure(kind: .broken, reason: "\(what) failed") }
        if Int(method.id) == CAMQP_CHANNEL_CLOSE {
            let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            return AMQPFailure(kind: .channelClosed(code: Int(close.reply_code)), reason: text(close.reply_text))
        }
        guard Int(method.id) == CAMQP_CONNECTION_CLOSE else {
            return AMQPFailure(kind: .broken, reason: "\(what) had an unexpected answer")
        }
        let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
        // 403: wrong user or password; 530: no such virtual host, or no right to it.
        let isRefused = isLogin && (close.reply_code == 403 || close.reply_code == 530)
        return AMQPFailure(kind: isRefused ? .refused : .broken, reason: "\(what): \(text(close.reply_text))")
    }

    /// Copies a text out of the library's memory.
    static func text(_ bytes: amqp_bytes_t) -> String {
        String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }
}

extension timeval {
    init(_ duration: Duration) {
        let microseconds = duration.wholeMicroseconds
        self.init(tv_sec: Int(microseconds / 1_000_000), tv_usec: .init(microseconds % 1_000_000))
    }
}
