// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The path and query of a handler's call, taken apart.
struct HandlerRoute: Sendable, Hashable {
    /// The calls that handlers make.
    enum Call: Sendable, Hashable {
        case take(process: String)
        case takeBatch(process: String)
        case awaitStops(process: String)
        case done(process: String, job: String)
        case stream(process: String, job: String)
        case ping(process: String)
        case exchange(process: String)
        case media
    }

    /// What is called.
    let call: Call
    /// The members of the query, decoded; one that stands twice counts with its last value.
    let query: [String: String]

    /// Reads a path such as `/v2/echo/job-take/echo-0?…`; nil when there is no such call.
    init?(path: String, query: String?) {
        let parts = path.split(separator: "/").map { Self.decode($0) }
        let tail = parts.first == "v2" ? Array(parts.dropFirst(2)) : parts
        switch (tail.first, tail.count) {
        case ("job-take", 2): call = .take(process: tail[1])
        case ("job-take-batch", 2): call = .takeBatch(process: tail[1])
        case ("job-stop", 2): call = .awaitStops(process: tail[1])
        case ("ping", 2): call = .ping(process: tail[1])
        case ("job-done", 3): call = .done(process: tail[1], job: tail[2])
        case ("job-stream", 3): call = .stream(process: tail[1], job: tail[2])
        case ("exchange", 2): call = .exchange(process: tail[1])
        case ("media", 1): call = .media
        default: return nil
        }
        var members: [String: String] = [:]
        for part in (query ?? "").split(separator: "&") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            members[Self.decode(sides[0])] = sides.count == 2 ? Self.decode(sides[1]) : ""
        }
        self.query = members
    }

    /// The process that calls; nil where the call does not say.
    var process: String? {
        switch call {
        case .take(let process), .takeBatch(let process), .awaitStops(let process), .done(let process, _),
            .stream(let process, _), .ping(let process), .exchange(let process):
            process
        case .media: nil
        }
    }

    private static func decode(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
