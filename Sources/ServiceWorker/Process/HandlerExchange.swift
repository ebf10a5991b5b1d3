// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import Logging
import Plumbing
import Workflow

/// One call of the exchange: results and progress in, jobs out (`python/PROTOCOL.md`, "Exchange").
struct HandlerExchange: Sendable {
    let feed: JobFeed
    let process: String
    let settings: ProcessEngineSettings

    /// Above what a result may have, so that one which is too deep is judged by itself and harms no neighbour.
    private static let maxDepth = Completion.maxResultDepth + 60

    /// Takes in what the process hands in, and answers with jobs, perhaps after a wait.
    func answer(
        _ body: [UInt8]?,
        _ route: HandlerRoute,
        connection: ObjectIdentifier,
        logger: Logger
    ) async -> Response {
        guard let body else {
            feed.condemn(process, "what it handed in is larger than \(settings.bodyLimit) bytes")
            return .json(Array("{}".utf8))
        }
        do {
            takeIn(body.isEmpty ? .object(JSONObject()) : try JSON(parsing: body, maxDepth: Self.maxDepth))
        } catch {
            // Whose results these were is not known any more: only its end settles them.
            let reason = "what it handed in is not JSON (\(error.message) at byte \(error.offset))"
            logger.warning("handler breaks the protocol", metadata: [LogKey.error: "\(reason)"])
            feed.condemn(process, reason)
            return .json(Array("{}".utf8))
        }
        let max = route.query["max"].flatMap { Int($0) } ?? 0
        let asked = Duration.milliseconds(route.query["wait_ms"].flatMap { Int64($0) } ?? 0)
        let wait = Swift.max(.zero, min(asked, settings.pollHold))
        let gifts = max > 0 ? await feed.take(process, max: max, wait: wait, connection: connection) : []
        let stops = feed.stops(of: process)
        var bytes = Array("{\"jobs\":".utf8) + HandlerResponder.list(gifts)
        if !stops.isEmpty {
            bytes += Array(",\"stop\":".utf8) + JSON.array(stops.map { .string($0) }).bytes
        }
        if let by = FeedDelivery.beginBy(gifts) { bytes += Array(",\"begin_by\":\(by)".utf8) }
        bytes.append(UInt8(ascii: "}"))
        guard !gifts.isEmpty else { return .json(bytes) }
        return .jobs(bytes, FeedDelivery(gifts, feed: feed))
    }

    private func takeIn(_ body: JSON) {
        for entry in body["progress"]?.array ?? [] {
            guard let id = entry["id"]?.string else { continue }
            feed.progress(id, lease: entry["lease"]?.string, from: process, (entry["output"] ?? .null).bytes)
        }
        if body["leaving"]?.bool == true { feed.leave(process) }
        for entry in body["done"]?.array ?? [] {
            guard let id = entry["id"]?.string else { continue }
            feed.finish(id, lease: entry["lease"]?.string, from: process, HandlerResult(entry))
        }
    }
}
