// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import BrokerClient
import Ledger
import Logging
import Plumbing
import ServiceLifecycle
import Synchronization
import Workflow

/// What workers elsewhere handed in and no App API has settled yet: kept, and sent again when that takes too long.
///
/// The mesh's own workers keep theirs themselves; one that was answered over HTTP keeps nothing. And the message alone
/// is not safe: the broker may lose its data, and an App API lets go of it while it can't fetch a large result.
final class ReportOutbox: Service {
    typealias Instant = ContinuousClock.Instant

    private struct Letter {
        let probe: LeaseProbe
        let message: Message
        var sendings = 1
        var sendAgainAt: Instant
    }

    private struct State {
        var letters: [LeaseID: Letter] = [:]
        var bytes = 0
    }

    /// How long a lease lasts whose result waits for its app: renewed while the result is kept here, so this is when a
    /// job runs again whose result was lost together with this process.
    static let lease: Duration = .seconds(600)
    /// More is not kept; results above 256 KiB lie in the media store.
    private static let (fullCount, fullBytes) = (10_000, 64 << 20)

    private let ledger: any Ledger
    private let broker: any Broker
    private let logger: Logger
    private let interval: Duration
    private let state = Mutex(State())

    /// Makes one.
    ///
    /// - Parameter interval: how often the ledger is asked what it has settled, and how long a letter waits at first
    ///   before it is sent again.
    init(ledger: any Ledger, broker: any Broker, logger: Logger, interval: Duration = .seconds(5)) {
        self.ledger = ledger
        self.broker = broker
        self.logger = logger
        self.interval = interval
    }

    /// How many are kept.
    var count: Int { state.withLock { $0.letters.count } }

    /// Keeps a message that the broker has confirmed.
    func keep(_ message: Message, _ probe: LeaseProbe) {
        state.withLock { state in
            guard state.letters.count < Self.fullCount, state.bytes + message.body.count <= Self.fullBytes,
                state.letters[probe.lease] == nil
            else { return }
            state.letters[probe.lease] = Letter(probe: probe, message: message, sendAgainAt: .now + interval)
            state.bytes += message.body.count
        }
    }

    /// Lets go of what the ledger has, or no longer wants.
    func forget(_ leases: [LeaseID]) {
        state.withLock { state in
            for lease in leases {
                if let letter = state.letters.removeValue(forKey: lease) { state.bytes -= letter.message.body.count }
            }
        }
    }

    /// Looks after what is kept until the graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: self.interval) } catch { return }
                await self.turn()
            }
        }
    }

    /// Forgets what was settled, renews the leases of the others and sends again what has waited too long.
    func turn() async {
        let probes = state.withLock { $0.letters.values.map(\.probe) }
        guard !probes.isEmpty else { return }
        do {
            let standings = try await ledger.renew(probes, for: Self.lease)
            forget(zip(probes, standings).filter { $1 != .held }.map(\.0.lease))
            let late = takeLate()
            guard !late.isEmpty else { return }
            logger.info("results of workers elsewhere are sent again", metadata: [LogKey.count: "\(late.count)"])
            try await broker.publishDeclaring(late)
        } catch {
            logger.warning(
                "results of workers elsewhere wait to be settled",
                metadata: [LogKey.count: "\(probes.count)", LogKey.error: "\(error)"]
            )
        }
    }

    private func takeLate() -> [Message] {
        let now = Instant.now
        return state.withLock { state in
            state.letters.filter { $0.value.sendAgainAt <= now }.map { lease, letter in
                let pause = min(interval * (1 << min(letter.sendings, 6)), max(.seconds(60), interval))
                state.letters[lease]?.sendings += 1
                state.letters[lease]?.sendAgainAt = now + pause
                return letter.message
            }
        }
    }
}
