// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Fairness
import HTTPTypes
import Hummingbird

/// Makes the router from the list of calls: before each, who may make it and how often.
struct RouteTable: Sendable {
    let routes: [APIRoute]
    let access: AccessCheck
    let limits: LimitGate

    /// How long a worker with a wrong token is kept from asking again.
    private static let slowRefusal: Duration = .seconds(1)

    /// The router with all calls.
    func router() -> Router<ServiceContext> {
        let router = Router(context: ServiceContext.self)
        router.add(middleware: ProblemMiddleware(routes: methods))
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                var context = context
                do throws(Problem) {
                    context.caller = try access.caller(of: request, for: route.access)
                } catch {
                    if route.isWorkerCall { try await Task.sleep(for: Self.slowRefusal) }
                    throw error
                }
                let isMetered = route.access == .service && !route.isWorkerCall
                if isMetered, let refusal = await refusal(of: route, context) { throw Problem(refusal) }
                return try await route.handle(request, context)
            }
        }
        return router
    }

    private func refusal(of route: APIRoute, _ context: ServiceContext) async -> LimitRefusal? {
        let operation = route.limited.flatMap { LimitedEndpoint.Operation(rawValue: $0) }
        // The service is the first thing that such a path names.
        let service = context.parameters.first.map { String($0.value) }
        let endpoint = operation.flatMap { operation in
            service.map { LimitedEndpoint(service: $0, operation: operation) }
        }
        return await limits.check(token: context.caller, endpoint: endpoint)
    }

    /// The methods of each path; those with fewer placeholders first, as the router prefers them.
    private var methods: [(path: String, methods: [HTTPRequest.Method])] {
        var found: [(path: String, methods: [HTTPRequest.Method])] = []
        for route in routes {
            if let index = found.firstIndex(where: { $0.path == route.path }) {
                found[index].methods.append(route.method)
            } else {
                found.append((route.path, [route.method]))
            }
        }
        return found.enumerated().sorted { left, right in
            let (leftHoles, rightHoles) = (
                left.element.path.count { $0 == "{" }, right.element.path.count { $0 == "{" }
            )
            return leftHoles != rightHoles ? leftHoles < rightHoles : left.offset < right.offset
        }.map(\.element)
    }
}
