// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Synchronization

/// A small S3 server that stumbles on command: objects in memory, one thread per connection.
///
/// It checks no signatures: the tests with botocore and with the real server do.
final class StumblingS3: Sendable {
    /// What goes wrong with a request.
    enum Fault: Sendable {
        /// Answers with this status and this error in XML.
        case answer(Int, String)
        /// Answers 200 with an error in XML.
        case failsLate(String)
        /// Closes after so many bytes of the request's body.
        case breaksUpload(Int)
        /// Closes after so many bytes of the answer's body.
        case breaksDownload(Int)
        /// Does what was asked and closes without an answer.
        case losesAnswer
        /// Answers without saying how much follows.
        case tellsNoLength
        /// Never answers.
        case hangs
    }

    struct Seen: Sendable {
        var method = ""
        var path = ""
        var query = ""
        var headers: [String: String] = [:]
        var count = 0
    }

    struct State {
        var objects: [String: (bytes: [UInt8], tag: String, type: String)] = [:]
        var uploads: [String: [Int: [UInt8]]] = [:]
        /// Which requests stumble: method, a part of path and query, and how; each once, in this order.
        var faults: [(method: String, part: String, fault: Fault)] = []
        var seen: [Seen] = []
        var ignoresRanges = false
        var ignoresConditions = false
        var lastTag = 0
        /// How far its clock is before this machine's; it refuses what is signed 15 minutes off.
        var ahead: Duration?
        /// How many requests have to have come before the first is refused for its time.
        var refusesTogether = 1

        mutating func put(_ path: String, _ bytes: [UInt8], type: String?) {
            lastTag += 1
            objects[path] = (bytes, "\"tag-\(lastTag)\"", type ?? "binary/octet-stream")
        }
    }

    let state = Mutex(State())
    private let listener: TestListener
    var port: UInt16 { listener.port }

    init() throws {
        listener = try TestListener()
        listener.serve { [weak self] connection in
            while let request = connection.readHead(), let self {
                guard self.answer(request, on: connection) else { return }
            }
        }
    }

    deinit {
        listener.stop()
    }

    func stumble(_ method: String, _ part: String, _ fault: Fault, times: Int = 1) {
        state.withLock { $0.faults += (0..<times).map { _ in (method, part, fault) } }
    }

    /// The requests so far, such as `PUT /bucket/key?partNumber=1&uploadId=1`.
    var lines: [String] {
        state.withLock { $0.seen.map { "\($0.method) \($0.path)\($0.query.isEmpty ? "" : "?\($0.query)")" } }
    }

    private func answer(_ seen: Seen, on connection: TestConnection) -> Bool {
        var seen = seen
        let length = seen.headers["content-length"].flatMap { Int($0) } ?? 0
        let target = "\(seen.path)?\(seen.query)"
        let fault = state.withLock { state -> Fault? in
            guard
                let index = state.faults.firstIndex(where: { $0.method == seen.method && target.contains($0.part) })
            else { return nil }
            return state.faults.remove(at: index).fault
        }
        if case .breaksUpload(let count) = fault {
            _ = connection.read(min(count, length))
            state.withLock { [seen] in $0.seen.append(seen) }
            return false
        }
        let body = connection.read(length)
        seen.count = body.count
        state.withLock { [seen] in $0.seen.append(seen) }
        guard body.count == length else { return false }
        if let ahead = state.withLock({ $0.ahead }) {
            let server = Timestamp.now + ahead
            let stamp = seen.headers["x-amz-date"].flatMap(Self.moment)
            if stamp.map({ abs(($0 - server) / .seconds(1)) > 900 }) ?? true {
                awaitCompany()
                let body = seen.method == "HEAD" ? [] : Self.error("RequestTimeTooSkewed")
                let answer = StumblingAnswer(status: 403, headers: ["Date: \(Self.httpDate(server))"])
                return connection.send(answer.head(length: body.count), body)
            }
        }
        switch fault {
        case .answer(let status, let code):
            return connection.reply(status, Self.error(code), isHead: seen.method == "HEAD")
        case .failsLate(let code): return connection.reply(200, Self.error(code))
        case .hangs:
            connection.waitForClose()
            return false
        case .losesAnswer:
            _ = state.withLock { [seen] in $0.perform(seen, body) }
            return false
        case .breaksDownload(let count):
            let answer = state.withLock { [seen] in $0.perform(seen, body) }
            connection.send(answer.head(length: answer.body.count), Array(answer.body.prefix(count)))
            return false
        case .tellsNoLength:
            let answer = state.withLock { [seen] in $0.perform(seen, body) }
            connection.send(answer.head(length: nil), answer.body)
            return false
        case nil, .breaksUpload:
            let answer = state.withLock { [seen] in $0.perform(seen, body) }
            return connection.send(answer.head(length: answer.body.count), seen.method == "HEAD" ? [] : answer.body)
        }
    }

    /// Waits, on the connection's own thread, until as many requests have come as are refused together.
    private func awaitCompany() {
        let patience = ContinuousClock.now + .seconds(20)
        while state.withLock({ $0.seen.count < $0.refusesTogether }), .now < patience { usleep(1000) }
    }

    /// Reads `20261121T000516Z`.
    private static func moment(_ stamp: String) -> Timestamp? {
        let digits = Array(stamp)
        guard digits.count == 16 else { return nil }
        func part(_ range: Range<Int>) -> String { String(digits[range]) }
        let date = "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))"
        return Timestamp(rfc3339: "\(date)T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z")
    }

    private static func httpDate(_ moment: Timestamp) -> String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let text = moment.rfc3339
        let parts = text.prefix(10).split(separator: "-")
        let month = months[(Int(parts[1]) ?? 1) - 1]
        return "Sun, \(parts[2]) \(month) \(parts[0]) \(text.dropFirst(11).prefix(8)) GMT"
    }

    static func error(_ code: String) -> [UInt8] {
        Array("<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>words of &lt;S3&gt;</Message></Error>".utf8)
    }
}
