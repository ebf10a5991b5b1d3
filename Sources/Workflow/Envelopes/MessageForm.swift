// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The form of the messages between roles: one line of JSON (the head), a line feed, then bytes as they are.
enum MessageForm {
    private static let lineFeed = UInt8(ascii: "\n")

    /// Puts a message's body together.
    static func body(_ head: JSON, _ parts: [[UInt8]] = []) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(parts.reduce(256) { $0 + $1.count })
        head.write(to: &bytes)
        bytes.append(lineFeed)
        for part in parts { bytes += part }
        return bytes
    }

    /// Takes a message's body apart.
    ///
    /// - Throws: ``EnvelopeError`` when it has no head, or one that is not JSON.
    static func split(_ body: [UInt8]) throws(EnvelopeError) -> (head: JSON, rest: ArraySlice<UInt8>) {
        guard let end = body.firstIndex(of: lineFeed) else { throw EnvelopeError("no head") }
        guard let head = try? JSON(parsing: Array(body[..<end])) else { throw EnvelopeError("the head is not JSON") }
        return (head, body[(end + 1)...])
    }

    /// Cuts what follows a head into parts of these sizes.
    ///
    /// - Throws: ``EnvelopeError`` when a size can't be, or when they don't add up to what there is.
    static func cut(_ rest: ArraySlice<UInt8>, into sizes: [Int?]) throws(EnvelopeError) -> [[UInt8]] {
        var (parts, rest): ([[UInt8]], ArraySlice<UInt8>) = ([], rest)
        parts.reserveCapacity(sizes.count)
        for size in sizes {
            guard let size, (0...rest.count).contains(size) else {
                throw EnvelopeError("the sizes are not those of the parts")
            }
            parts.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        guard rest.isEmpty else { throw EnvelopeError("\(rest.count) bytes too many") }
        return parts
    }
}
