// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// Whether the handler of a job may begin: asked right before, since a job may wait inside an engine, and the whole
/// process may be frozen at any moment.
public struct BeginPermit: Sendable {
    private let fresh: @Sendable (ContinuousClock.Instant) -> Bool
    private let ask: @Sendable () async -> Bool
    private let end: @Sendable () -> ContinuousClock.Instant?

    /// Makes a permit.
    ///
    /// - Parameters:
    ///   - isFresh: whether the handler may begin at this moment by what is known; it must not block.
    ///   - confirm: waits for the ledger's word; false when the handler must not begin any more.
    ///   - until: the last moment at which the handler may begin by what is known; nil when there is none.
    public init(
        isFresh: @escaping @Sendable (ContinuousClock.Instant) -> Bool,
        confirm: @escaping @Sendable () async -> Bool,
        until: @escaping @Sendable () -> ContinuousClock.Instant?
    ) {
        fresh = isFresh
        ask = confirm
        end = until
    }

    /// A permit that never ends: for work that no ledger knows.
    public static let always = BeginPermit(isFresh: { _ in true }, confirm: { true }, until: { nil })

    /// Whether the handler may begin now by what is known.
    public func isFresh(_ now: ContinuousClock.Instant = .now) -> Bool { fresh(now) }

    /// Waits for the ledger's word; false when the handler must not begin any more.
    public func confirm() async -> Bool { await ask() }

    /// The last moment at which the handler may begin by what is known; nil when there is none.
    public var until: ContinuousClock.Instant? { end() }
}
