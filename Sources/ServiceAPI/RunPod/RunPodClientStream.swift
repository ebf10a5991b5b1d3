// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import ResultStore
import Workflow

/// Hands out a job's partial output, each part once: how far it is lies in the result store, for all readers together.
///
/// Without the store nothing is handed out; the whole output is still in the status.
struct RunPodClientStream: Sendable {
    let results: any ResultStore

    /// The most parts of one answer.
    private static let limit = 500
    /// About the most bytes of one answer.
    private static let byteLimit = 8 << 20
    /// How long it is remembered how far the readers of a job are.
    private static let memory: Duration = .seconds(86_400)
    /// For so long after its end the last parts of a job's output may still be on their way.
    private static let lastParts: Duration = .milliseconds(100)

    /// The answer of `/stream`: `status` and the new parts as `stream`; the status is final only when no part is left.
    func next(of job: Job) async -> [UInt8] {
        await untilComplete(job)
        var state = RunPodStatus.State(of: job)
        var text: [UInt8] = []
        if let lease = job.lease {
            let (parts, isAll) = await take(job.id, lease)
            for part in parts { text += (text.isEmpty ? [] : Array(",".utf8)) + Self.item(part) }
            if !isAll { state = .inProgress }
        }
        return Array("{\"status\":\"\(state.rawValue)\",\"stream\":[".utf8) + text + Array("]}".utf8)
    }

    /// The parts of a job's output that come after `cursor` in the stream of a lease, and where the last one stands.
    func read(
        _ job: JobID,
        _ lease: LeaseID,
        after cursor: String?
    ) async -> (parts: [[UInt8]], cursor: String?, isAll: Bool) {
        let entries: [(id: String, value: [UInt8])]
        do throws(ResultStoreError) {
            entries = try await results.entries(
                of: ResultKey(.events, job, lease: lease),
                after: cursor,
                limit: Self.limit
            )
        } catch {
            return ([], cursor, true)
        }
        var parts: [[UInt8]] = []
        var last = cursor
        var bytes = 0
        for (id, value) in entries {
            last = id
            guard let event = HandlerEvent(bytes: value), event.kind == .partial else { continue }
            parts.append(event.json.isEmpty ? Array("null".utf8) : event.json)
            bytes += event.json.count
            if bytes > Self.byteLimit { return (parts, last, false) }
        }
        return (parts, last, entries.count < Self.limit)
    }

    private func take(_ job: JobID, _ lease: LeaseID) async -> (parts: [[UInt8]], isAll: Bool) {
        let key = ResultKey(.cursor, job, lease: lease)
        let cursor: String?
        do throws(ResultStoreError) {
            cursor = try await results.get(key).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            // Without knowing what was handed out, parts would be handed out twice.
            return ([], true)
        }
        let (parts, last, isAll) = await read(job, lease, after: cursor)
        if let last, last != cursor { results.put([(key, Array(last.utf8))], timeToLive: Self.memory) }
        return (parts, isAll)
    }

    /// Waits a moment for what a job's handler told just before its end: that goes another way than its result.
    func untilComplete(_ job: Job) async {
        guard let finishedAt = job.finishedAt else { return }
        let rest = Self.lastParts - (Timestamp.now - finishedAt)
        guard rest > .zero else { return }
        // A cancelled call gets an answer that nobody reads.
        try? await Task.sleep(for: min(rest, Self.lastParts))
    }

    private static func item(_ part: [UInt8]) -> [UInt8] {
        Array(#"{"output":"#.utf8) + part + [UInt8(ascii: "}")]
    }
}
