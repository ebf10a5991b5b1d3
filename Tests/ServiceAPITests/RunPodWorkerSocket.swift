// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import Plumbing
import Synchronization
import Workflow

/// One connection of a worker's process, byte by byte as the runpod package writes.
final class RunPodWorkerSocket: Sendable {
    struct Answer: Sendable {
        var status: Int
        var head: String
        var body: String
        var json: JSON { (try? JSON(parsing: Array(body.utf8))) ?? .null }
        /// The ids of the jobs that were given.
        var jobs: [JobID] { (json.array ?? [json]).compactMap { $0["id"]?.string.flatMap { MeshID($0) } } }
    }

    struct Broken: Error {}

    private let descriptor: Int32
    private let isOpen = Atomic(true)

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Broken() }
    }

    deinit { close() }

    /// Closes the connection as a killed process does.
    func close() {
        if isOpen.exchange(false, ordering: .sequentiallyConsistent) { _ = Foundation.close(descriptor) }
    }

    /// Sends a request's bytes and does not wait for the answer.
    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Broken() }
            sent += count
        }
    }

    /// Reads the next answer, on a thread of its own.
    func answer() async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { [self] in
                if let answer = read() {
                    continuation.resume(returning: answer)
                } else {
                    continuation.resume(throwing: Broken())
                }
            }
        }
    }

    // MARK: Calls of the package

    /// Asks for jobs.
    func sendTake(
        _ worker: String,
        batch: Int? = nil,
        isIdle: Bool = false,
        last: JobID? = nil,
        authorization: String? = nil
    ) throws {
        let call = batch == nil ? "job-take" : "job-take-batch"
        let size = batch.map { "&batch_size=\($0)" } ?? ""
        try sendGet(
            "/v2/echo/\(call)/\(worker)?gpu=X\(size)&job_in_progress=\(isIdle ? 0 : 1)",
            last: last,
            authorization: authorization
        )
    }

    /// Asks for jobs and waits for the answer.
    func take(
        _ worker: String,
        batch: Int? = nil,
        isIdle: Bool = false,
        last: JobID? = nil
    ) async throws -> Answer {
        try sendTake(worker, batch: batch, isIdle: isIdle, last: last)
        return try await answer()
    }

    func sendStop(_ worker: String) throws { try sendGet("/v2/echo/job-stop/\(worker)?gpu=X") }

    /// Hands something in: JSON that says it is a form.
    func post(_ call: String, _ worker: String, _ job: JobID, _ body: String) async throws -> Answer {
        try send(
            "POST /v2/echo/\(call)/\(worker)/\(job)?gpu=X&isStream=false HTTP/1.1\r\nHost: h\r\ncharset: utf-8\r\n"
                + "Content-Type: application/x-www-form-urlencoded\r\nX-Request-ID: \(job)\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
        return try await answer()
    }

    func sendGet(_ path: String, last: JobID? = nil, authorization: String? = nil) throws {
        let lines = [last.map { "X-Request-ID: \($0)" }, authorization.map { "Authorization: \($0)" }]
        try send(
            "GET \(path) HTTP/1.1\r\nHost: h\r\nUser-Agent: RunPod-Python-SDK/1.12.0\r\n"
                + "Content-Type: application/json\r\n" + lines.compactMap { $0 }.map { "\($0)\r\n" }.joined() + "\r\n"
        )
    }

    private func read() -> Answer? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let answer = Self.parse(bytes) { return answer }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            bytes += chunk.prefix(count)
        }
    }

    private static func parse(_ bytes: [UInt8]) -> Answer? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let head = String(text[..<end.lowerBound]).lowercased()
        let body = String(text[end.upperBound...])
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("content-length: ") }
            .flatMap { Int($0.dropFirst(16)) }
        guard body.utf8.count >= length ?? 0, let status = Int(head.dropFirst(9).prefix(3)) else { return nil }
        return Answer(status: status, head: head, body: body)
    }
}
