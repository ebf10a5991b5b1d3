// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Ledger
internal import Plumbing
internal import Synchronization
internal import Workflow

/// Asks the ledger about leases whose last word is old: all that wait go in one beat, beside those of the beat loop.
final class LeaseWords: Sendable {
    /// Where a beat's row comes from, and who is told when it was sent.
    struct Source: Sendable {
        var row: @Sendable () async -> WorkerBeat?
        var taken: @Sendable (_ sentAt: ContinuousClock.Instant) -> Void
    }

    private let ledger: any Ledger
    private let leases: LeaseTable
    private let source = Mutex<Source?>(nil)
    private let waiting = Mutex<Batcher<LeaseProbe, Void>?>(nil)

    init(ledger: any Ledger, leases: LeaseTable) {
        self.ledger = ledger
        self.leases = leases
    }

    /// Names where its beats come from.
    func beats(from source: Source) {
        self.source.withLock { $0 = source }
        let batcher = Batcher<LeaseProbe, Void> { [weak self] probes in
            do {
                return try await self?.beat(for: probes) ?? probes.map { _ in .success(()) }
            } catch {
                return probes.map { _ in .failure(error) }
            }
        }
        waiting.withLock { $0 = batcher }
    }

    /// Asks about one lease; the answer is in the table, where a lost lease is stopped.
    ///
    /// - Throws: when the ledger could not be asked.
    func ask(_ probe: LeaseProbe) async throws {
        guard let batcher = waiting.withLock({ $0 }) else {
            throw LedgerError(.unavailable, "the worker does not beat yet")
        }
        try await batcher.submit(probe)
    }

    private func beat(for probes: [LeaseProbe]) async throws -> [Result<Void, any Error>] {
        guard let source = source.withLock({ $0 }), let row = await source.row() else {
            throw LedgerError(.unavailable, "the worker has gone")
        }
        let sentAt = ContinuousClock.now
        let standings = try await ledger.beat(row, leases: probes)
        source.taken(sentAt)
        return zip(probes, standings).map { probe, standing in
            switch standing {
            case .held: leases.confirm([probe.lease], beatAt: sentAt)
            case .unknown where leases.isYoung(probe.lease, at: sentAt):
                return .failure(LedgerError(.unavailable, "the job may be about to be committed"))
            case .stopped, .settled, .unknown: leases.stop(probe.lease, .forgotten)
            }
            return .success(())
        }
    }
}
