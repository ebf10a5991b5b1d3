// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A server of the mesh that does not answer.
public struct ServerFault: Sendable, Hashable {
    /// Which: `broker`, `results` or `media`; without the ledger nothing can be explained.
    public var server: String
    /// What it, or the lack of it, says.
    public var reason: String

    /// What still goes on without it, and what does not.
    public var effect: String {
        switch server {
        case "broker": "no worker of the mesh is told of new jobs until it is back; then they are, by themselves"
        case "results": "progress and partial output are not shown; no job waits for it"
        default: "media and results above 256 KiB can't be read or written"
        }
    }
}
