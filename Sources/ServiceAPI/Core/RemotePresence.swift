// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Logging
import Plumbing
import Synchronization

/// Writes the rows of workers that speak HTTP: they do not beat, so whoever hears of one says so here.
///
/// A row is written at most once in ``interval``; what was said meanwhile last is written at its end, so that a row never
/// stays behind. Nobody waits for it, and its loss is harmless.
final class RemotePresence: Sendable {
    private struct Entry {
        var latest: WorkerBeat
        var writtenAt: ContinuousClock.Instant?
        /// Whether a write is on its way that will take the latest.
        var isDue = false
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var isFailing = false
    }

    /// The least time between two writes of one worker's row.
    static let interval: Duration = .seconds(2)
    /// The most workers that are remembered at once.
    static let capacity = 10_000

    private let ledger: any Ledger
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes one.
    init(ledger: any Ledger, logger: Logger) {
        self.ledger = ledger
        self.logger = logger
    }

    /// Says that a worker has just given a sign of life; returns at once.
    ///
    /// - Parameters:
    ///   - worker: its id, which is also its name.
    ///   - slots: how many jobs it can run at once, as far as is known.
    ///   - isDraining: whether it gets no more jobs.
    ///   - trouble: what is wrong with it, as JSON; nil for nothing.
    func seen(
        _ worker: String,
        services: [String],
        slots: Int,
        running: Int,
        isDraining: Bool = false,
        trouble: [UInt8]? = nil
    ) {
        let beat = WorkerBeat(
            worker: worker,
            name: worker,
            services: services,
            slots: slots,
            running: running,
            isDraining: isDraining,
            isRemote: true,
            trouble: trouble
        )
        let now = ContinuousClock.now
        let delay = state.withLock { state -> Duration? in
            guard var entry = state.entries[worker] ?? Self.room(in: &state, for: beat, at: now) else { return nil }
            entry.latest = beat
            let delay = entry.isDue ? nil : entry.writtenAt.map { max(.zero, $0 + Self.interval - now) } ?? .zero
            entry.isDue = true
            state.entries[worker] = entry
            return delay
        }
        guard let delay else { return }
        // Detached: it outlives the call that it was heard in.
        Task.detached { [self] in
            do {
                if delay > .zero { try await Task.sleep(for: delay) }
            } catch {
                return  // nobody cancels it
            }
            await write(worker)
        }
    }

    private func write(_ worker: String) async {
        let beat = state.withLock { state in
            state.entries[worker]?.isDue = false
            state.entries[worker]?.writtenAt = .now
            return state.entries[worker]?.latest
        }
        guard let beat else { return }
        do throws(LedgerError) {
            _ = try await ledger.beat(beat, leases: [])
            state.withLock { $0.isFailing = false }
        } catch {
            let isFirst = state.withLock { state in
                defer { state.isFailing = true }
                return !state.isFailing
            }
            guard isFirst else { return }
            logger.warning(
                "the row of a remote worker can't be written",
                metadata: [LogKey.worker: "\(worker)", LogKey.error: "\(error)"]
            )
        }
    }

    /// An entry for a new worker; the silent ones make room, and nil when there is none left.
    private static func room(in state: inout State, for beat: WorkerBeat, at now: ContinuousClock.Instant) -> Entry? {
        if state.entries.count >= capacity {
            state.entries = state.entries.filter { $0.value.isDue || ($0.value.writtenAt ?? now) + interval > now }
        }
        return state.entries.count < capacity ? Entry(latest: beat) : nil
    }
}
