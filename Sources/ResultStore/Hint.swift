// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// Something that makes others faster when they hear it, and harms nobody when they don't.
public enum Hint: Sendable, Hashable {
    /// These leases were cancelled: stop what runs under them.
    case cancelled([MeshID])
    /// These jobs have reached their final state: whoever waits for one may read it.
    case ended([MeshID])
    /// A service has jobs waiting, and a worker elsewhere may hold a call open for them.
    case waiting(service: String)

    /// The hint as bytes: a letter, then ids of 16 bytes each, or the service's name.
    public var bytes: [UInt8] {
        switch self {
        case .cancelled(let leases): [UInt8(ascii: "c")] + leases.flatMap(\.bytes)
        case .ended(let jobs): [UInt8(ascii: "e")] + jobs.flatMap(\.bytes)
        case .waiting(let service): [UInt8(ascii: "w")] + Array(service.utf8)
        }
    }

    /// Reads a hint; nil when it is none.
    public init?(bytes: [UInt8]) {
        let rest = Array(bytes.dropFirst())
        switch bytes.first {
        case UInt8(ascii: "c"): self = .cancelled(Self.ids(rest))
        case UInt8(ascii: "e"): self = .ended(Self.ids(rest))
        case UInt8(ascii: "w"): self = .waiting(service: String(decoding: rest, as: UTF8.self))
        default: return nil
        }
    }

    private static func ids(_ bytes: [UInt8]) -> [MeshID] {
        stride(from: 0, to: bytes.count - 15, by: 16).compactMap { MeshID(bytes: bytes[$0..<($0 + 16)]) }
    }
}
