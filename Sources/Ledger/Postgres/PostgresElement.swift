// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing

/// A scalar in PostgreSQL's binary format.
protocol PostgresElement: PostgresParameter {
    /// The OID of the type, from the server's `pg_type`.
    static var oid: UInt32 { get }

    /// Appends the value without its length.
    func encode(into bytes: inout [UInt8])
}

/// What a statement takes as one parameter.
protocol PostgresParameter: Sendable {
    /// Appends the value without its length; returns whether it is null.
    func append(to bytes: inout [UInt8]) -> Bool
    /// About how many bytes it appends, if those are many: a batch of payloads is then written to one buffer, not to ever
    /// larger ones.
    var largeSize: Int { get }
}

extension PostgresParameter {
    var largeSize: Int { 0 }
}

extension PostgresElement {
    func append(to bytes: inout [UInt8]) -> Bool {
        encode(into: &bytes)
        return false
    }
}

extension Optional: PostgresParameter where Wrapped: PostgresElement {
    func append(to bytes: inout [UInt8]) -> Bool {
        guard let self else { return true }
        self.encode(into: &bytes)
        return false
    }
}

extension Bool: PostgresElement {
    static var oid: UInt32 { 16 }
    func encode(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
}

extension Int16: PostgresElement {
    static var oid: UInt32 { 21 }
    func encode(into bytes: inout [UInt8]) { bytes.append(network: UInt16(bitPattern: self)) }
}

extension Int32: PostgresElement {
    static var oid: UInt32 { 23 }
    func encode(into bytes: inout [UInt8]) { bytes.append(network: UInt32(bitPattern: self)) }
}

extension Int64: PostgresElement {
    static var oid: UInt32 { 20 }
    func encode(into bytes: inout [UInt8]) { bytes.append(network: UInt64(bitPattern: self)) }
}

extension Double: PostgresElement {
    static var oid: UInt32 { 701 }
    func encode(into bytes: inout [UInt8]) { bytes.append(network: bitPattern) }
}

extension String: PostgresElement {
    static var oid: UInt32 { 25 }

    /// PostgreSQL's text can't hold U+0000; it becomes U+FFFD, so that no text from outside can fail a whole batch.
    func encode(into bytes: inout [UInt8]) {
        if utf8.contains(0) {
            for byte in utf8 {
                if byte == 0 { bytes += [0xEF, 0xBF, 0xBD] } else { bytes.append(byte) }
            }
        } else {
            bytes += utf8
        }
    }
}

extension MeshID: PostgresElement {
    static var oid: UInt32 { 2950 }
    func encode(into bytes: inout [UInt8]) {
        bytes.append(network: high)
        bytes.append(network: low)
    }
}

extension Timestamp: PostgresElement {
    static var oid: UInt32 { 1184 }
    /// PostgreSQL counts microseconds from 2000-01-01.
    static let postgresEpoch: Int64 = 946_684_800_000_000
    /// The range is cut to what `timestamptz` holds (to the year 294276).
    private static let postgresRange: ClosedRange<Int64> = 0...9_000_000_000_000_000_000

    func encode(into bytes: inout [UInt8]) {
        let cut = min(max(microseconds, Self.postgresRange.lowerBound), Self.postgresRange.upperBound)
        (cut - Self.postgresEpoch).encode(into: &bytes)
    }
}

extension Array: PostgresParameter where Element == UInt8 {}
extension Array: PostgresElement where Element == UInt8 {
    var largeSize: Int { count }
    static var oid: UInt32 { 17 }
    func encode(into bytes: inout [UInt8]) { bytes += self }
}

/// A one-dimensional array parameter, for `unnest` and `= ANY`.
struct PostgresList<Element: PostgresElement>: PostgresParameter {
    private let values: [Element?]

    init(_ values: [Element]) { self.values = values }
    init(optional values: [Element?]) { self.values = values }

    var largeSize: Int { 20 + values.reduce(0) { $0 + 20 + ($1?.largeSize ?? 0) } }

    func append(to bytes: inout [UInt8]) -> Bool {
        bytes.append(network: UInt32(values.isEmpty ? 0 : 1))
        bytes.append(network: UInt32(values.contains { $0 == nil } ? 1 : 0))
        bytes.append(network: Element.oid)
        guard !values.isEmpty else { return false }
        bytes.append(network: UInt32(values.count))
        bytes.append(network: UInt32(1))
        for value in values {
            let start = bytes.count
            bytes.append(network: UInt32.max)
            guard let value else { continue }
            value.encode(into: &bytes)
            let length = UInt32(bytes.count - start - 4)
            for shift in 0..<4 { bytes[start + shift] = UInt8(truncatingIfNeeded: length >> (24 - UInt32(shift) * 8)) }
        }
        return false
    }
}

extension [UInt8] {
    mutating func append<Value: FixedWidthInteger & UnsignedInteger>(network value: Value) {
        for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }
}
