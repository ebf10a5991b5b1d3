// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import NIOCore
import Plumbing
import Synchronization
import Workflow

/// The RunPod workers that call this Service API, and the calls that are held open for them.
///
/// ``RunPodWorkerState`` decides under a lock; held calls are woken after it is released.
final class RunPodWorkerTable: Sendable {
    /// A worker of an endpoint.
    struct Key: Hashable, Sendable {
        var endpoint: String
        var worker: String
    }

    /// What a held call waits for.
    enum Purpose: Sendable, Hashable { case jobs, stops }

    private struct Waiter {
        var purpose: Purpose
        var connection: ObjectIdentifier
        var bell: OneShot<Void>
    }

    private struct State {
        var workers: [Key: RunPodWorkerState] = [:]
        var waiters: [Key: [Waiter]] = [:]
        var owners: [ObjectIdentifier: Key] = [:]
    }

    /// The most workers that are remembered at once.
    static let capacity = 20_000

    let timing: RunPodWorkerTiming
    private let presence: RemotePresence
    private let state = Mutex(State())

    init(timing: RunPodWorkerTiming, presence: RemotePresence) {
        self.timing = timing
        self.presence = presence
    }

    // MARK: Calls

    /// A call of a worker's own process begins on a connection.
    func begin(_ key: Key, on channel: any Channel, lastJob: JobID?, isForStops: Bool = false) {
        let now = ContinuousClock.now
        let connection = ObjectIdentifier(channel)
        let isNew = state.withLock { state in
            if state.workers[key] == nil { Self.makeRoom(in: &state, forgetting: now - timing.memory) }
            let owner = state.owners.updateValue(key, forKey: connection)
            if let owner, owner != key { state.workers[owner]?.connections.forget(connection) }
            state.workers[key, default: RunPodWorkerState(at: now)].called(lastJob: lastJob, at: now)
            state.workers[key]?.connections.begin(connection, isForStops: isForStops, at: now)
            return owner == nil
        }
        if isNew { watch(channel) }
    }

    /// It was answered.
    func end(_ key: Key, on channel: any Channel) {
        state.withLock { $0.workers[key]?.connections.end(ObjectIdentifier(channel), at: .now) }
        show(key)
    }

    /// Reads or changes what is known of a worker, and shows it to others.
    @discardableResult
    func change<Value: Sendable>(_ key: Key, _ body: (inout RunPodWorkerState) -> Value) -> Value {
        let value = state.withLock { state in
            if state.workers[key] == nil { Self.makeRoom(in: &state, forgetting: .now - timing.memory) }
            return body(&state.workers[key, default: RunPodWorkerState(at: .now)])
        }
        wakeStops(key)
        return value
    }

    /// Reads what is known of a worker; nil for one that is not known here.
    func read<Value: Sendable>(_ key: Key, _ body: (RunPodWorkerState) -> Value) -> Value? {
        state.withLock { $0.workers[key].map(body) }
    }

    /// These leases were cancelled: whoever holds one is told.
    func cancelled(_ leases: [LeaseID]) {
        let leases = Set(leases)
        let found = state.withLock { state in
            state.workers.keys.filter { state.workers[$0]?.cancelled(leases) ?? false }
        }
        for key in found { wakeStops(key) }
    }

    // MARK: Holding

    /// Lets `bell` be finished when there is something to see for a held call; false when it need not wait: its
    /// connection has gone, the worker gets no more jobs, or there are stops.
    func hold(_ key: Key, for purpose: Purpose, on channel: any Channel, _ bell: OneShot<Void>) -> Bool {
        let connection = ObjectIdentifier(channel)
        return state.withLock { state in
            guard let worker = state.workers[key], worker.connections.contains(connection) else { return false }
            guard purpose == .jobs ? worker.refusal == nil : worker.stops.isEmpty else { return false }
            state.waiters[key, default: []].append(Waiter(purpose: purpose, connection: connection, bell: bell))
            return true
        }
    }

    /// The call is held no more.
    func release(_ key: Key, _ bell: OneShot<Void>) {
        state.withLock { state in
            state.waiters[key]?.removeAll { $0.bell === bell }
            if state.waiters[key]?.isEmpty == true { state.waiters[key] = nil }
        }
    }

    /// Whether a worker may be given jobs on a connection: nobody reads what is written to one that has gone.
    func mayGive(_ key: Key, on channel: any Channel) -> Bool {
        read(key) { $0.refusal == nil && $0.connections.contains(ObjectIdentifier(channel)) } ?? false
    }

    /// Ends the calls that are held for jobs: the worker gets none.
    func endTakes(_ key: Key) { wake(key) { $0.purpose == .jobs } }

    /// Writes the worker's row.
    func show(_ key: Key) {
        guard let worker = read(key, { $0 }) else { return }
        let trouble = (worker.trouble ?? (worker.wantsRestart ? worker.refusal : nil)).map { message -> [UInt8] in
            let entry: JSON = ["at": .string(Timestamp.now.rfc3339), "message": .string(message), "output": ""]
            return JSON.object(JSONObject([(key.endpoint, [entry])])).bytes
        }
        presence.seen(
            key.worker,
            services: [key.endpoint],
            slots: worker.slots,
            running: worker.running,
            isDraining: worker.refusal != nil,
            trouble: trouble
        )
    }

    // MARK: Parts

    private func watch(_ channel: any Channel) {
        let connection = ObjectIdentifier(channel)
        let loop = channel.eventLoop
        loop.execute { [self] in
            let watch = RunPodWorkerWatch { [self] byPeer in ended(connection, byPeer: byPeer) }
            do {
                // First, so that it sees the end of the input and every close, whatever the others do with it.
                try channel.pipeline.syncOperations.addHandler(watch, position: .first)
                if !channel.isActive { ended(connection, byPeer: true) }
            } catch {
                ended(connection, byPeer: true)
            }
        }
    }

    private func ended(_ connection: ObjectIdentifier, byPeer: Bool) {
        let key = state.withLock { state -> Key? in
            guard let key = state.owners.removeValue(forKey: connection) else { return nil }
            state.workers[key]?.connections.ended(connection, byPeer: byPeer, at: .now)
            return key
        }
        if let key { wake(key) { $0.connection == connection } }
    }

    private func wakeStops(_ key: Key) {
        guard read(key, { !$0.stops.isEmpty }) ?? false else { return }
        wake(key) { $0.purpose == .stops }
    }

    private func wake(_ key: Key, _ isMeant: (Waiter) -> Bool) {
        let bells = state.withLock { state in (state.waiters[key] ?? []).filter(isMeant).map(\.bell) }
        for bell in bells { bell.finish(.success(())) }
    }

    private static func makeRoom(in state: inout State, forgetting moment: ContinuousClock.Instant) {
        guard state.workers.count >= capacity else { return }
        state.workers = state.workers.filter { !$0.value.connections.isEmpty || $0.value.heardAt > moment }
    }
}
