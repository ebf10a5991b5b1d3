// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Hummingbird
import NIOCore

/// The context of one call of a handler's process: which connection it came on.
struct HandlerRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// The connection's identity; nil when it has gone already.
    var connection: ObjectIdentifier { ObjectIdentifier(channel) }
}
