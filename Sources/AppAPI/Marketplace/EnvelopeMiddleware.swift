// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Callbacks
import Hummingbird
import Logging
import Metrics
import Plumbing

/// Gives every request its id and trace, and every failure the envelope.
struct EnvelopeMiddleware: RouterMiddleware {
    typealias Context = MarketplaceContext

    let writer: EnvelopeWriter

    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.trace = TraceContext(parsing: request.headers.first(named: "traceparent"))
        let given = request.headers.first(named: "x-request-id")?.trimming() ?? ""
        context.requestID = given.isEmpty || !CallerGate.isPlain(given, longest: 200) ? MeshID().description : given
        do {
            guard given.isEmpty || context.requestID == given else {
                throw MarketplaceRefusal.invalid("x-request-id", "at most 200 bytes without control characters")
            }
            _ = try request.headers.only("x-request-id")
            return try await next(request, context)
        } catch {
            return answer(error, request, context)
        }
    }

    private func answer(_ error: any Error, _ request: Request, _ context: Context) -> Response {
        let refusal = refusal(of: error, request, context).of(Self.app(request, context))
        Counter(
            label: "malla_refusals_total",
            dimensions: [("code", refusal.code.rawValue), ("status", "\(refusal.status.code)")]
        ).increment()
        return writer.refusal(refusal, context: context)
    }

    /// The app that the path names, so that a refusal carries its prefix however early it came.
    private static func app(_ request: Request, _ context: Context) -> String? {
        context.parameters.get("app") ?? request.uri.path.split(separator: "/").first.map(String.init)
    }

    private func refusal(of error: any Error, _ request: Request, _ context: Context) -> MarketplaceRefusal {
        switch error {
        case let refusal as MarketplaceRefusal: return refusal
        case let error as any HTTPResponseError:
            switch error.status.code {
            case 404: return unknownRoute(request)
            case 413: return MarketplaceRefusal(.invalid, error.status, "the body is too large")
            case 400..<500: return MarketplaceRefusal(.invalid, error.status, "\(error)")
            default: break
            }
        default: break
        }
        context.logger.error(
            "a request failed",
            metadata: [
                LogKey.error: "\(error)", LogKey.request: "\(context.requestID)",
                LogKey.trace: "\(context.trace.traceID)", "url.path": "\(request.uri.path)",
            ]
        )
        return MarketplaceRefusal(
            .unknown,
            .internalServerError,
            "unknown error; the operator finds it in the log by traceId"
        )
    }

    private func unknownRoute(_ request: Request) -> MarketplaceRefusal {
        let methods = [
            "call": "POST", "result": "GET or POST", "stats": "GET or POST", "upload": "POST", "download": "GET",
            "cancel": "POST", "replay": "POST", "callbacks": "GET",
        ]
        let last = request.uri.path.split(separator: "/").last.map(String.init) ?? ""
        if let allowed = methods[last],
            !allowed.split(separator: " ").contains(where: { $0 == request.method.rawValue })
        {
            return MarketplaceRefusal(
                .unsupported,
                .methodNotAllowed,
                "\(request.method) is not supported here; use \(allowed)"
            )
        }
        return .notFound("there is no \(request.method) \(request.uri.path.prefix(200))")
    }
}
