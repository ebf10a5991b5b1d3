// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import HTTPTransfer
import Plumbing
public import Workflow

/// Hands jobs over to Service APIs by `POST {base}/mesh/v1/jobs`.
public struct HTTPJobHandOver: JobHandOver {
    private let client: any HTTPTransferring
    private let base: String
    private let bases: [String: String]
    private let token: String?
    private let timeout: Duration

    /// Makes one.
    ///
    /// - Parameters:
    ///   - base: the Service API that takes every service's jobs (`SERVICE_API_URL`).
    ///   - bases: those of single services (`SERVICE_API_URLS`), which win.
    ///   - token: the mesh's own token (`MESH_TOKEN`).
    public init(
        client: any HTTPTransferring,
        base: String,
        bases: [String: String] = [:],
        token: String?,
        timeout: Duration = .seconds(10)
    ) {
        self.client = client
        self.base = Self.bare(base)
        self.bases = bases.mapValues(Self.bare)
        self.token = token
        self.timeout = timeout
    }

    /// The Service API's base URL.
    public func place(of service: String) -> String { bases[service] ?? base }

    /// Posts the jobs; 429 refuses all of them for as long as `Retry-After` says.
    public func handOver(
        _ handOver: HandOver,
        to place: String
    ) async throws(HandOverFailure) -> [HandOver.Refusal] {
        var headers: [(name: String, value: String)] = [("content-type", "application/json")]
        if let token { headers.append(("authorization", "Bearer \(token)")) }
        if let trace = handOver.entries.first?.trace { headers.append(("traceparent", trace)) }
        let request = TransferRequest(
            "POST",
            "\(place)/mesh/v1/jobs",
            headers: headers,
            body: .bytes(handOver.json.bytes),
            timeout: timeout,
            answerLimit: 16 << 20
        )
        let answer: TransferResponse
        do throws(TransferError) { answer = try await client.send(request) } catch {
            throw HandOverFailure(error.description)
        }
        switch answer.head.status {
        case 200...299:
            guard let json = try? JSON(parsing: answer.body), let refused = json["refused"]?.array else {
                return []
            }
            return refused.compactMap(HandOver.Refusal.init(json:))
        case 429:
            let wait = RetryAfter.parse(answer.head["retry-after"]) ?? .seconds(1)
            return handOver.entries.map { .init(job: $0.job, reason: "the backlog is full", retryAfter: wait) }
        default:
            throw HandOverFailure("\(place) answered with status \(answer.head.status)")
        }
    }

    private static func bare(_ url: String) -> String {
        url.hasSuffix("/") ? String(url.dropLast()) : url
    }
}
