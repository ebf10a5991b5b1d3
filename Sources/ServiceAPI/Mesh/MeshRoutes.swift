// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import HTTPTypes
import Hummingbird
import Workflow

/// The call with which App APIs hand their jobs over.
struct MeshRoutes: Sendable {
    let admission: Admission
    let settings: ServiceSettings

    var routes: [APIRoute] {
        [
            APIRoute(
                method: .post,
                path: "/mesh/v1/jobs",
                access: .mesh,
                tag: "mesh",
                summary: "Hands jobs over that are in the ledger already; answers with those that are not taken now.",
                body: MeshSchemas.handOver,
                answers: [
                    .init(
                        status: .ok,
                        text: "The jobs that are not taken, and credits for tickets.",
                        schema: MeshSchemas.verdict
                    )
                ],
                handle: { request, _ in try await handOver(request) }
            )
        ]
    }

    private func handOver(_ request: Request) async throws -> Response {
        guard let json = try await request.json(upTo: settings.maxBody) else {
            throw Problem(.badRequest, "the body is not JSON: it is empty")
        }
        let handOver: HandOver
        do throws(HandOver.Fault) { handOver = try HandOver(reading: json) } catch {
            throw Problem(.unprocessableContent, "\(error.field) must be \(error.expected)", field: error.field)
        }
        // Before the jobs are taken, which wakes whoever waits for them over HTTP: there is no credit beside those.
        let credits = admission.credits(for: handOver)
        let verdict = admission.admit(handOver)
        guard let pushBack = verdict.pushBack else {
            return .json(HandOver.Answer(refused: verdict.refused, credits: credits).json)
        }
        var problem = Problem(
            .tooManyRequests,
            "the backlog is full: none of the \(handOver.entries.count) jobs is taken now; 'refused' says why",
            retryAfter: max(1, Int((pushBack / .seconds(1)).rounded(.up)))
        )
        problem.members = [("refused", .array(verdict.refused.map(\.json)))]
        throw problem
    }
}
