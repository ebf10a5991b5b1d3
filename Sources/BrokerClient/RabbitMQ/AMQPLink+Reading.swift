// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import CRabbitMQ

/// Putting events together from frames; everything is copied out of the library's memory here.
extension AMQPLink {
    /// Takes one frame in; returns the event that it completes.
    func decode(_ frame: inout amqp_frame_t) throws(AMQPFailure) -> AMQPEvent? {
        let channel = frame.channel
        switch CInt(frame.frame_type) {
        case AMQP_FRAME_METHOD:
            return try decodeMethod(channel, frame.payload.method)
        case AMQP_FRAME_HEADER:
            guard let decoded = frame.payload.properties.decoded else { return nil }
            let properties = UnsafePointer(decoded.assumingMemoryBound(to: amqp_basic_properties_t.self))
            let size = Int(frame.payload.properties.body_size)
            contents[channel]?.missing = size
            contents[channel]?.body.reserveCapacity(size)
            contents[channel]?.number = camqp_message_number(properties)
            let trace = camqp_trace(properties)
            if trace.len > 0 { contents[channel]?.trace = Self.text(trace) }
            return finishContent(channel)
        case AMQP_FRAME_BODY:
            let fragment = UnsafeRawBufferPointer(
                start: frame.payload.body_fragment.bytes,
                count: frame.payload.body_fragment.len
            )
            contents[channel]?.body.append(contentsOf: fragment)
            contents[channel]?.missing? -= fragment.count
            return finishContent(channel)
        default:
            return nil
        }
    }

    private func decodeMethod(_ channel: UInt16, _ method: amqp_method_t) throws(AMQPFailure) -> AMQPEvent? {
        guard let decoded = method.decoded else { return nil }
        switch Int(method.id) {
        case CAMQP_BASIC_DELIVER:
            let deliver = decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
            contents[channel] = AMQPContent(
                purpose: .delivery(tag: deliver.delivery_tag, isRedelivered: deliver.redelivered != 0)
            )
            return nil
        case CAMQP_BASIC_RETURN:
            let returned = decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            contents[channel] = AMQPContent(purpose: .returned(reason: Self.text(returned.reply_text)))
            return nil
        case CAMQP_BASIC_ACK:
            let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .confirmed(number: ack.delivery_tag, multiple: ack.multiple != 0, isAccepted: true)
        case CAMQP_BASIC_NACK:
            let nack = decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .confirmed(number: nack.delivery_tag, multiple: nack.multiple != 0, isAccepted: false)
        case CAMQP_BASIC_CANCEL:
            return .consumerCancelled(channel: channel)
        case CAMQP_CONNECTION_BLOCKED:
            let blocked = decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            return .blocked(reason: Self.text(blocked.reason))
        case CAMQP_CONNECTION_UNBLOCKED:
            return .unblocked
        case CAMQP_CHANNEL_CLOSE:
            let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            let (code, reason) = (Int(close.reply_code), Self.text(close.reply_text))
            contents[channel] = nil
            try confirmChannelClose(channel)
            return .channelClosed(channel: channel, code: code, reason: reason)
        case CAMQP_CONNECTION_CLOSE:
            let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            throw AMQPFailure(kind: .broken, reason: "the server closed the connection: \(Self.text(close.reply_text))")
        default:
            return nil
        }
    }

    private func finishContent(_ channel: UInt16) -> AMQPEvent? {
        guard let missing = contents[channel]?.missing, missing <= 0,
            let content = contents.removeValue(forKey: channel)
        else { return nil }
        switch content.purpose {
        case .delivery: return .delivered(channel: channel, content)
        case .returned(let reason): return .returned(number: content.number, reason: reason)
        }
    }
}
