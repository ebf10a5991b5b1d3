// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Hummingbird
import Logging
import NIOCore

/// The context of a request to the Service API.
public struct ServiceContext: RequestContext {
    /// What Hummingbird keeps of every request.
    public var coreContext: CoreRequestContextStorage
    /// The name of the token that the request came with; nil for none, and where none is needed.
    public var caller: String?
    /// The connection that the request came on.
    let channel: any Channel

    /// Makes the context of a request.
    public init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}
