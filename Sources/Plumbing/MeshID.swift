// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A 128-bit id of a task, job, lease, worker or callback: a UUID of version 7 (RFC 9562), or any other UUID.
///
/// Version 7 begins with the time in milliseconds, so ids sort by creation and a database's index grows at its end.
public struct MeshID: Sendable, Hashable, Comparable {
    /// The first eight bytes, big-endian.
    public var high: UInt64
    /// The last eight bytes, big-endian.
    public var low: UInt64

    /// Makes an id from its two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes a fresh id of version 7 for the given moment.
    public init(at moment: Timestamp = .now) {
        var generator = SystemRandomNumberGenerator()
        self.init(at: moment, using: &generator)
    }

    /// Makes a fresh id of version 7 with randomness of the caller's.
    public init(at moment: Timestamp, using generator: inout some RandomNumberGenerator) {
        // 48 bits of milliseconds, then 12 bits of the sub-millisecond (RFC 9562, method 3), so that ids made in
        // one process in one millisecond still sort by time.
        let milliseconds = UInt64(max(0, moment.microseconds / 1000))
        let fraction = UInt64(max(0, moment.microseconds % 1000)) * 4096 / 1000
        high = milliseconds << 16 | 0x7000 | fraction
        low = generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    /// The lowest id of version 7 of a moment: ids that were made since are not below it.
    public static func first(at moment: Timestamp) -> MeshID {
        MeshID(high: UInt64(max(0, moment.microseconds / 1000)) << 16, low: 0)
    }

    /// Parses the usual form, 32 hexadecimal digits with or without the four hyphens; nil when it is not one.
    public init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let id = text.withUTF8(Self.parse) else { return nil }
        self = id
    }

    private static func parse(_ text: UnsafeBufferPointer<UInt8>) -> MeshID? {
        var (high, low, digits): (UInt64, UInt64, Int) = (0, 0, 0)
        for (position, byte) in text.enumerated() {
            if byte == UInt8(ascii: "-"), position == 8 || position == 13 || position == 18 || position == 23 {
                continue
            }
            guard let digit = value(ofHexDigit: byte), digits < 32 else { return nil }
            if digits < 16 { high = high << 4 | digit } else { low = low << 4 | digit }
            digits += 1
        }
        return digits == 32 ? MeshID(high: high, low: low) : nil
    }

    /// Makes an id from its 16 bytes; nil when there are not 16.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var (high, low): (UInt64, UInt64) = (0, 0)
        for byte in bytes { (high, low) = (high << 8 | low >> 56, low << 8 | UInt64(byte)) }
        self.init(high: high, low: low)
    }

    /// The id's 16 bytes in network order.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { [UInt8]($0) }
    }

    /// Orders ids as PostgreSQL orders its `uuid`: by bytes.
    public static func < (left: MeshID, right: MeshID) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }

    private static func value(ofHexDigit byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

extension MeshID: CustomStringConvertible {
    /// The usual form in lower case: `0199a0b2-…`.
    public var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var next = 0
            func put(_ byte: UInt8) {
                buffer[next] = byte
                next += 1
            }
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 { put(UInt8(ascii: "-")) }
                let half = digit < 16 ? high : low
                let value = UInt8(truncatingIfNeeded: half >> (60 - UInt64(digit % 16) * 4)) & 0xF
                put(value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
            }
            return next
        }
    }
}

extension MeshID: Codable {
    /// Reads the usual form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = MeshID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a UUID")
        }
        self = id
    }

    /// Writes the usual form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
