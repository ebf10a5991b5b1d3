// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Ledger
import NIOCore
import Plumbing
import ResultStore
import ServiceLifecycle
import Workflow

/// Tells what happens to a job as it happens, as server-sent events.
///
/// Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
struct JobEvents: Sendable {
    let desk: JobDesk

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .get,
                path: "/api/v1/jobs/{id}/events",
                tag: "jobs",
                summary: "Streams states, progress, partial output and logs of a job until it has ended.",
                parameters: [
                    JobParameters.id,
                    .init(
                        name: "Last-Event-ID",
                        place: .header,
                        schema: ["type": "string"],
                        text: "The id of the last event that was seen: the stream goes on after it."
                    ),
                ],
                answers: [
                    .init(
                        status: .ok,
                        text: "Events `state`, `progress`, `partial` and `log`; the data is JSON.",
                        schema: ["type": "string"],
                        contentType: "text/event-stream"
                    )
                ],
                handle: { request, context in
                    let record = try await desk.find(try context.parameters.require("id"))
                    let place = HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] }
                    return stream(record, after: place.flatMap { EventPlace($0) })
                }
            )
        ]
    }

    private func stream(_ record: JobRecord, after place: EventPlace?) -> Response {
        let body = ResponseBody { writer in
            var stream = JobEventStream(desk: desk, record: record, place: place)
            while let text = try await stream.next() { try await writer.write(ByteBuffer(string: text)) }
            try await writer.finish(nil)
        }
        var headers: HTTPFields = [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"]
        // Proxies of the nginx family hold answers back otherwise.
        if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
        return Response(status: .ok, headers: headers, body: body)
    }
}
