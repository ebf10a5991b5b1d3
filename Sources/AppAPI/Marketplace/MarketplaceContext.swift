// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Hummingbird

/// What a request carries through the routes: its trace and its id.
public struct MarketplaceContext: RequestContext {
    /// What the HTTP server keeps.
    public var coreContext: CoreRequestContextStorage
    /// The trace, from the request or fresh.
    var trace = TraceContext(parsing: nil)
    /// The caller's id of the request, or one that was made.
    var requestID = ""

    /// Makes the context of a request.
    public init(source: Source) {
        coreContext = .init(source: source)
    }
}
