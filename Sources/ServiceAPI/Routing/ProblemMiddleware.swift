// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import HTTPTypes
import Hummingbird
import Ledger
import Logging
import MediaStore
import Plumbing

/// Answers whatever goes wrong in a route with problem details: an unknown path, a ledger that is away, a fault.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = ServiceContext

    /// The methods of each path, by the path as the router writes it.
    let routes: [(path: String, methods: [HTTPRequest.Method])]

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as Problem {
            return try problem.response(from: request, context: context)
        } catch let error where Self.awayServer(error) != nil {
            let server = Self.awayServer(error) ?? ""
            let problem = Problem(.serviceUnavailable, "the \(server) does not answer; try again", retryAfter: 2)
            return try problem.response(from: request, context: context)
        } catch is CancellationError {
            // The client has gone, or this process stops: hardly anybody reads this.
            let problem = Problem(.serviceUnavailable, "the call was broken off; try again", retryAfter: 1)
            return try problem.response(from: request, context: context)
        } catch let error as any HTTPResponseError where error.status == .notFound {
            return try unknown(request).response(from: request, context: context)
        } catch let error as any HTTPResponseError where (400..<500).contains(error.status.code) {
            return try Problem(error.status, "\(error)").response(from: request, context: context)
        } catch {
            context.logger.error(
                "a request failed",
                metadata: [LogKey.error: "\(error)", "url.path": "\(request.uri.path)"]
            )
            let problem = Problem(.internalServerError, "the request failed here; the operator finds it in the log")
            return try problem.response(from: request, context: context)
        }
    }

    /// The server whose absence an error tells of; nil for any other error.
    private static func awayServer(_ error: any Error) -> String? {
        switch error {
        case let error as LedgerError where error.isRetriable: "ledger"
        case let error as BrokerError where error.isRetriable: "broker"
        case let error as MediaError where error.isRetriable: "media store"
        default: nil
        }
    }

    private func unknown(_ request: Request) -> Problem {
        let parts = Self.parts(of: request.uri.path)
        guard let route = routes.first(where: { Self.matches(parts, Self.parts(of: $0.path)) }) else {
            let shown = request.uri.path.prefix(100)
            return Problem(.notFound, "there is no '\(shown)'; GET /openapi.json lists what there is")
        }
        let allowed = route.methods.map(\.rawValue).joined(separator: ", ")
        var problem = Problem(.methodNotAllowed, "\(route.path) takes \(allowed), not \(request.method.rawValue)")
        problem.allow = allowed
        return problem
    }

    private static func parts(of path: String) -> [Substring] { path.split(separator: "/") }

    private static func matches(_ parts: [Substring], _ pattern: [Substring]) -> Bool {
        parts.count == pattern.count && zip(parts, pattern).allSatisfy { $1.hasPrefix("{") || $0 == $1 }
    }
}
