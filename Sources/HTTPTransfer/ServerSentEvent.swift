// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// One event of a stream of server-sent events (HTML standard, section 9.2).
public struct ServerSentEvent: Sendable, Equatable {
    /// Its name; `message` when it has none.
    public var name = "message"
    /// Its id, by which a stream goes on after it broke; nil when it has none of its own.
    public var id: String?
    /// Its data, the lines joined with line feeds.
    public var data: [UInt8] = []

    /// Makes an event.
    public init(name: String = "message", id: String? = nil, data: [UInt8] = []) {
        self.name = name
        self.id = id
        self.data = data
    }
}
