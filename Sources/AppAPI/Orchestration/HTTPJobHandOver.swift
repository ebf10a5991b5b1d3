// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
public import HTTPTransfer
import Plumbing
public import Workflow

/// Hands jobs over to Service APIs by `POST {base}/mesh/v1/jobs`.
public struct HTTPJobHandOver: JobHandOver {
    private let client: any HTTPTransferring
    private let base: String
    private let bases: [String: String]
    private let token: @Sendable () -> String?
    private let timeout: Duration

    /// Makes one.
    ///
    /// - Parameters:
    ///   - base: the Service API that takes every service's jobs (`SERVICE_API_URL`).
    ///   - bases: those of single services (`SERVICE_API_URLS`), which win.
    ///   - token: the mesh's own token (`MESH_TOKEN`), asked for with every hand-over.
    public init(
        client: any HTTPTransferring,
        base: String,
        bases: [String: String] = [:],
        token: @autoclosure @escaping @Sendable () -> String?,
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

    /// Posts the jobs and reads which of them are refused; 429 refuses all, each for as long as the body says of it,
    /// else for as long as `Retry-After` says.
    ///
    /// - Throws: ``HandOverFailure`` when there is no answer, or one that does not tell which jobs were taken.
    public func handOver(
        _ handOver: HandOver,
        to place: String
    ) async throws(HandOverFailure) -> HandOver.Answer {
        var headers: [(name: String, value: String)] = [("content-type", "application/json")]
        if let token = token() { headers.append(("authorization", "Bearer \(token)")) }
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
        let json = try? JSON(parsing: answer.body)
        switch answer.head.status {
        case 200...299:
            // Silence is no consent: jobs that were not taken would be counted as handed over.
            guard let verdict = json.flatMap(HandOver.Answer.init(json:)) else {
                throw HandOverFailure("\(place) answered \(answer.head.status) without the list 'refused'")
            }
            let refusals = Self.byJob(verdict.refused)
            return HandOver.Answer(refused: handOver.entries.compactMap { refusals[$0.job] }, credits: verdict.credits)
        case 429:
            let known = Self.byJob(json.flatMap(HandOver.Answer.init(json:))?.refused ?? [])
            let wait = Self.patience(RetryAfter.parse(answer.head["retry-after"]) ?? .seconds(1))
            let refused = handOver.entries.map {
                known[$0.job] ?? .init(job: $0.job, reason: "the backlog is full", retryAfter: wait)
            }
            return HandOver.Answer(refused: refused)
        default:
            let detail = json?["detail"]?.string.map { ": \($0.prefix(300))" } ?? ""
            throw HandOverFailure("\(place) answered with status \(answer.head.status)\(detail)")
        }
    }

    private static func byJob(_ refusals: [HandOver.Refusal]) -> [JobID: HandOver.Refusal] {
        var byJob: [JobID: HandOver.Refusal] = [:]
        for var refusal in refusals {
            refusal.retryAfter = patience(refusal.retryAfter)
            byJob[refusal.job] = refusal
        }
        return byJob
    }

    /// The wait that is kept of what an answer asks for: no answer may set jobs aside for a day, or for no time at all.
    private static func patience(_ asked: Duration) -> Duration { min(max(asked, .milliseconds(100)), .seconds(300)) }

    private static func bare(_ url: String) -> String {
        url.hasSuffix("/") ? String(url.dropLast()) : url
    }
}
