// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import CHiredis

/// A reply of Redis, copied out of hiredis' memory.
enum RedisReply: Sendable {
    case null
    case integer(Int)
    case bytes([UInt8])
    case array([RedisReply])
    case error(String)

    init(copying raw: UnsafeMutablePointer<redisReply>) {
        switch raw.pointee.type {
        case REDIS_REPLY_INTEGER: self = .integer(Int(raw.pointee.integer))
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: self = .bytes(Self.text(of: raw))
        case REDIS_REPLY_ERROR: self = .error(String(decoding: Self.text(of: raw), as: UTF8.self))
        case REDIS_REPLY_ARRAY:
            let elements = (0..<Int(raw.pointee.elements)).map { index in
                raw.pointee.element[index].map { RedisReply(copying: $0) } ?? .null
            }
            self = .array(elements)
        default: self = .null
        }
    }

    private static func text(of raw: UnsafeMutablePointer<redisReply>) -> [UInt8] {
        guard let text = raw.pointee.str else { return [] }
        return Array(UnsafeRawBufferPointer(start: text, count: Int(raw.pointee.len)))
    }

    /// The bytes, when the reply is a string.
    var bytes: [UInt8]? {
        guard case .bytes(let bytes) = self else { return nil }
        return bytes
    }

    /// The elements, when the reply is a list.
    var array: [RedisReply]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }
}
