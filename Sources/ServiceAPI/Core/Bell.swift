// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import ResultStore
import ServiceLifecycle
import Synchronization

/// Wakes calls that are held open until a service has jobs waiting.
///
/// A bell is a hint: whoever is woken claims and may find nothing, and whoever waits looks by himself now and then.
final class Bell: Sendable {
    private struct State {
        var waiters: [String: [OneShot<Void>]] = [:]
        var remote: Set<String> = []
        var toldAt: [String: ContinuousClock.Instant] = [:]
    }

    /// How often others are told of one service at most.
    private static let pause: Duration = .milliseconds(20)

    private let results: any ResultStore
    private let state = Mutex(State())

    /// Makes a bell; `results` carries its sound to the other Service APIs.
    init(results: any ResultStore) {
        self.results = results
    }

    /// Learns which services have workers that hold calls open, at whichever Service API.
    func learn(remote services: Set<String>) {
        state.withLock { $0.remote = services }
    }

    /// Whether a service's jobs are waited for over HTTP: here, or lately at another Service API.
    func isAwaited(_ service: String) -> Bool {
        state.withLock { $0.waiters[service] != nil || $0.remote.contains(service) }
    }

    /// Says that a service has jobs waiting.
    ///
    /// - Parameter isOurs: whether it became so here, hence others are told.
    func ring(_ service: String, isOurs: Bool = true) {
        let now = ContinuousClock.now
        let (waiters, mustTell) = state.withLock { state -> ([OneShot<Void>], Bool) in
            let waiters = state.waiters.removeValue(forKey: service) ?? []
            guard isOurs, state.remote.contains(service) else { return (waiters, false) }
            if let at = state.toldAt[service], now - at < Self.pause { return (waiters, false) }
            state.toldAt[service] = now
            return (waiters, true)
        }
        for waiter in waiters { waiter.finish(.success(())) }
        if mustTell { results.tell(.waiting(service: service)) }
    }

    /// Listens for one of the services from now on, while `body` runs: look first, then wait on what it is given.
    func listening<Value>(
        for services: [String],
        _ body: (OneShot<Void>) async throws -> Value
    ) async throws -> Value {
        let waiter = OneShot<Void>()
        state.withLock { state in
            for service in services { state.waiters[service, default: []].append(waiter) }
        }
        defer {
            state.withLock { state in
                for service in services {
                    state.waiters[service]?.removeAll { $0 === waiter }
                    if state.waiters[service]?.isEmpty == true { state.waiters[service] = nil }
                }
            }
        }
        return try await body(waiter)
    }
}

extension OneShot<Void> {
    /// Waits until it is finished, at most `limit`; it is finished then.
    ///
    /// Returns at once while the process stops: who waits in a loop asks `Task.isShuttingDownGracefully` in each turn.
    ///
    /// - Throws: `CancellationError`.
    func value(within limit: Duration) async throws {
        let alarm = finish(after: limit, with: .success(()))
        defer { alarm.lift() }
        // A process that stops keeps nobody waiting.
        try await withGracefulShutdownHandler {
            try await value()
        } onGracefulShutdown: {
            self.finish(.success(()))
        }
    }
}
