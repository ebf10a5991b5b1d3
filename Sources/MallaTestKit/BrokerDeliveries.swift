// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
import Plumbing
import Synchronization

/// Keeps what a consumer's handler got, and lets a test wait for it.
public final class BrokerDeliveries: Sendable {
    private struct State {
        var all: [Delivery] = []
        var waiters: [(count: Int, reached: OneShot<Void>)] = []
    }

    private let state = Mutex(State())

    /// Makes an empty one.
    public init() {}

    /// Everything so far.
    public var all: [Delivery] { state.withLock { $0.all } }
    /// The bodies so far, as text.
    public var texts: [String] { all.map { String(decoding: $0.body, as: UTF8.self) } }

    /// Takes a batch; to be called by the handler.
    public func take(_ deliveries: [Delivery]) {
        let reached = state.withLock { state in
            state.all += deliveries
            let count = state.all.count
            defer { state.waiters.removeAll { $0.count <= count } }
            return state.waiters.filter { $0.count <= count }.map(\.reached)
        }
        for one in reached { one.finish(.success(())) }
    }

    /// Waits until there have been `count` deliveries in all, and returns them; the test's time limit ends the wait.
    @discardableResult
    public func wait(for count: Int) async throws -> [Delivery] {
        let reached = OneShot<Void>()
        let isThere = state.withLock { state in
            if state.all.count < count { state.waiters.append((count, reached)) }
            return state.all.count >= count
        }
        if !isThere { try await reached.value() }
        return all
    }
}
