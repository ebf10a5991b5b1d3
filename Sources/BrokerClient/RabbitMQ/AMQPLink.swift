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

/// One connection of librabbitmq; the only owner of its C object.
///
/// Not `Sendable`: it lives in an actor and is used on that actor's loop thread alone. Whatever the library hands out
/// points into its pools and is copied before the pools are recycled.
final class AMQPLink {
    let raw: amqp_connection_state_t
    /// The socket.
    let descriptor: CInt
    /// How long the server may be silent.
    let heartbeat: Duration
    private let watchdog: Watchdog
    private let isUnlimited: Bool
    private let queueType: String
    /// Messages whose frames have not all arrived, by channel.
    var contents: [UInt16: AMQPContent] = [:]

    /// Connects and logs in; blocks for at most about twice `limit`.
    init(
        settings: RabbitSettings,
        name: String,
        limit: Duration,
        watchdog: Watchdog
    ) throws(AMQPFailure) {
        guard let raw = amqp_new_connection() else {
            throw AMQPFailure(kind: .broken, reason: "no memory for a connection")
        }
        do throws(AMQPFailure) {
            try Self.open(raw, settings, limit)
            var seconds = CInt(clamping: settings.heartbeat.components.seconds)
            if seconds < 1 { seconds = 1 }
            let reply = camqp_login_plain(
                raw,
                settings.vhost,
                seconds,
                settings.user,
                settings.password,
                name
            )
            try Self.check(reply, "login", isLogin: true)
            // Dialling is as patient as who waits for it; calls are not judged by that.
            var patience = timeval(Self.callPatience)
            amqp_set_rpc_timeout(raw, &patience)
        } catch {
            amqp_destroy_connection(raw)
            throw error
        }
        self.raw = raw
        self.watchdog = watchdog
        descriptor = amqp_get_sockfd(raw)
        heartbeat = .seconds(Int64(amqp_get_heartbeat(raw)))
        queueType = settings.queueType.rawValue
        isUnlimited = settings.queueType == .quorum && camqp_server_major(raw) >= 4
    }

    deinit {
        amqp_destroy_connection(raw)
    }

    /// Says good-bye and waits for the answer, guarded.
    func close() {
        watchdog.guarding(descriptor) { _ = amqp_connection_close(raw, AMQP_REPLY_SUCCESS) }
    }

    // MARK: Channels and queues

    /// Opens a channel.
    func openChannel(_ channel: UInt16) throws(AMQPFailure) {
        contents[channel] = nil
        try call("channel.open", channel) { amqp_channel_open(raw, channel) != nil }
    }

    /// Closes a channel; its unsettled deliveries go back to their queue.
    func closeChannel(_ channel: UInt16) throws(AMQPFailure) {
        let reply = watchdog.guarding(descriptor) { amqp_channel_close(raw, channel, CInt(AMQP_REPLY_SUCCESS)) }
        contents[channel] = nil
        try Self.check(reply, "channel.close")
    }

    /// Makes the channel confirm what is published on it.
    func selectConfirms(_ channel: UInt16) throws(AMQPFailure) {
        try call("confirm.select", channel) { amqp_confirm_select(raw, channel) != nil }
    }

    /// Declares a durable queue, or one that goes with its consumers.
    func declare(_ queue: String, isTransient: Bool, on channel: UInt16) throws(AMQPFailure) {
        try call("queue.declare", channel) {
            isTransient
                ? camqp_declare_transient(raw, channel, queue, Self.messageTTL, Self.queueExpiry) != nil
                : camqp_declare(raw, channel, queue, queueType, isUnlimited ? 1 : 0) != nil
        }
    }

    /// How long a message waits in a transient queue at most, in milliseconds.
    private static let messageTTL: Int32 = 5_000
    /// How long a transient queue outlives its last consumer, in milliseconds: a connection may break.
    private static let queueExpiry: Int32 = 60_000

    /// Counts the messages that wait in a queue; a missing queue closes the channel with 404.
    func depth(of queue: String, on channel: UInt16) throws(AMQPFailure) -> Int {
        var count = 0
        try call("queue.declare", channel) {
            queue.withCString { name in
                let answer = amqp_queue_declare(raw, channel, amqp_cstring_bytes(name), 1, 0, 0, 0, amqp_empty_table)
                if let answer { count = Int(answer.pointee.message_count) }
                return answer != nil
            }
        }
        return count
    }

    /// Sets how many deliveries of the channel's consumer may be unsettled; also a cheap question to the server.
    func setPrefetch(_ count: Int, on channel: UInt16) throws(AMQPFailure) {
        try call("basic.qos", channel) { amqp_basic_qos(raw, channel, 0, UInt16(clamping: count), 0) != nil }
    }

    /// Starts the channel's consumer.
    func consume(_ queue: String, on channel: UInt16) throws(AMQPFailure) {
        try call("basic.consume", channel) {
            queue.withCString { name in
                Self.consumerTag(channel).withCString { tag in
                    amqp_basic_consume(
                        raw,
                        channel,
                        amqp_cstring_bytes(name),
                        amqp_cstring_bytes(tag),
                        0,
                        0,
                        0,
                        amqp_empty_table
                    ) != nil
                }
            }
        }
    }

    /// Ends the channel's consumer; deliveries that are on their way are read as events afterwards.
    func stopConsuming(on channel: UInt16) throws(AMQPFailure) {
        try call("basic.cancel", channel) {
            Self.consumerTag(channel).withCString { amqp_basic_cancel(raw, channel, amqp_cstring_bytes($0)) != nil }
        }
    }

    // MARK: Messages

    /// Sends a message; `number` is its publish sequence number on a channel that confirms.
    ///
    /// With a number it comes back where no queue takes it, without one it is dropped then.
    func publish(
        queue: String,
        body: [UInt8],
        trace: String?,
        number: UInt64?,
        on channel: UInt16
    ) throws(AMQPFailure) {
        let status = watchdog.guarding(descriptor) {
            body.withUnsafeBytes { bytes in
                if let trace {
                    camqp_publish(raw, channel, queue, bytes.baseAddress, bytes.count, trace, number ?? 0)
                } else {
                    camqp_publish(raw, channel, queue, bytes.baseAddress, bytes.count, nil, number ?? 0)
                }
            }
        }
        try Self.check(status, "basic.publish")
    }

    /// Acknowledges one delivery, or all up to it.
    func acknowledge(_ tag: UInt64, multiple: Bool, on channel: UInt16) throws(AMQPFailure) {
        let status = watchdog.guarding(descriptor) { amqp_basic_ack(raw, channel, tag, multiple ? 1 : 0) }
        try Self.check(status, "basic.ack")
    }

    /// Gives one delivery back to its queue.
    func requeue(_ tag: UInt64, on channel: UInt16) throws(AMQPFailure) {
        let status = watchdog.guarding(descriptor) { amqp_basic_nack(raw, channel, tag, 0, 1) }
        try Self.check(status, "basic.nack")
    }

    /// Whether frames wait in the library, which the socket's readiness doesn't show.
    var hasBufferedInput: Bool { amqp_frames_enqueued(raw) != 0 || amqp_data_in_buffer(raw) != 0 }

    /// Whether the socket takes more without waiting.
    var hasRoom: Bool {
        var socket = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&socket, 1, 0) != 0
    }

    /// Reads what has arrived until an event is whole; nil when nothing more is there.
    ///
    /// Heartbeats are sent in here.
    func nextEvent() throws(AMQPFailure) -> AMQPEvent? {
        while true {
            var frame = amqp_frame_t()
            var none = timeval()
            let status = watchdog.guarding(descriptor) { amqp_simple_wait_frame_noblock(raw, &frame, &none) }
            if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
            try Self.check(status, "reading")
            let event = try decode(&frame)
            if contents[frame.channel] == nil { amqp_maybe_release_buffers_on_channel(raw, frame.channel) }
            if let event { return event }
        }
    }

    // MARK: Calls

    private func call(_ what: String, _ channel: UInt16, _ perform: () -> Bool) throws(AMQPFailure) {
        guard !watchdog.guarding(descriptor, perform) else { return }
        let reply = amqp_get_rpc_reply(raw)
        do throws(AMQPFailure) {
            try Self.check(reply, what)
        } catch {
            // Until it has been answered, the server passes over whatever comes on that channel.
            if !error.isFatal { try confirmChannelClose(channel) }
            throw error
        }
        throw AMQPFailure(kind: .broken, reason: "\(what) had no answer")
    }

    func confirmChannelClose(_ channel: UInt16) throws(AMQPFailure) {
        let status = watchdog.guarding(descriptor) {
            var answer = amqp_channel_close_ok_t()
            return amqp_send_method(raw, channel, amqp_method_number_t(CAMQP_CHANNEL_CLOSE_OK), &answer)
        }
        try Self.check(status, "channel.close-ok")
    }

    private static func consumerTag(_ channel: UInt16) -> String { "malla-\(channel)" }
}
