// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing
internal import Synchronization
internal import Workflow

/// The clients of a run: they submit what is planned, cancel some of it, and ask until every task has ended.
///
/// Call ``prepare()`` on a healthy mesh, then ``run()`` while faults happen, then ``settle(within:)``,
/// ``statistics()`` and ``originalHashes()`` on a mesh that is whole again.
final class Load: Sendable {
    /// Why a load can't begin.
    struct Unprepared: Error, CustomStringConvertible {
        let description: String
    }

    private struct State {
        var tasks: [PlannedTask] = []
        var references: [String] = []
        /// Ids of accepted tasks by key.
        var ids: [String: String] = [:]
        /// Keys whose end was seen.
        var ended: [String: Verdict] = [:]
    }

    private let plan: LoadPlan
    private let client: ChaosClient
    private let app: String
    private let state = Mutex(State())

    /// One in so many tasks is submitted at two App APIs at once, as a client does that gave up waiting too early.
    private static let twins = 12

    /// Prepares the clients of a plan.
    init(_ plan: LoadPlan, client: ChaosClient, app: String = "chaos") {
        self.plan = plan
        self.client = client
        self.app = app
        state.withLock { $0.tasks = plan.tasks }
    }

    /// The tasks as they are submitted.
    var tasks: [PlannedTask] { state.withLock { $0.tasks } }

    /// The keys of the tasks whose receiver is gone.
    var gone: Set<String> { Set(plan.tasks.filter(\.receiverIsGone).map(\.key)) }

    /// The ids of the accepted tasks by key.
    var accepted: [String: String] { state.withLock { $0.ids } }

    /// How tasks ended, as far as was seen, by key.
    var ended: [String: Verdict] { state.withLock { $0.ended } }

    /// Every call so far.
    var calls: [ClientCall] { client.calls }

    /// Uploads the originals.
    ///
    /// - Throws: ``Unprepared`` when one could not be uploaded.
    func prepare() async throws {
        var references: [String] = []
        for original in plan.originals {
            guard let reference = await client.upload(original) else {
                throw Unprepared(description: "the original \(original.name) could not be uploaded")
            }
            references.append(reference)
        }
        state.withLock { [references] in
            $0.references = references
            $0.tasks = plan.tasks(with: references)
        }
    }

    /// Submits every task at its time, again until it is accepted or refused for good, and cancels those that are to be
    /// cancelled; returns when all that is done, or given up `patience` after the last one was due.
    func run(patience: Duration = .seconds(60)) async {
        let tasks = self.tasks
        let start = ContinuousClock.now
        let limit = start + .seconds(tasks.last?.at ?? 0) + patience
        await withDiscardingTaskGroup { group in
            for (index, task) in tasks.enumerated() {
                group.addTask {
                    do {
                        try await Task.sleep(until: start + .seconds(task.at))
                    } catch {
                        return  // cancelled
                    }
                    guard let id = await self.submit(task, index, until: limit), let after = task.cancelAfter else {
                        return
                    }
                    // A cancelled run stops here as well: the next call is its last.
                    try? await Task.sleep(for: .seconds(after))
                    await self.cancel(task, id, api: index + 1, until: limit)
                }
            }
        }
    }

    private func submit(_ task: PlannedTask, _ index: Int, until limit: ContinuousClock.Instant) async -> String? {
        let subject = ChaosClient.Subject(kind: .submit, key: task.key, user: task.user)
        let body: JSON = ["method": .string(task.method), "payload": task.payload]
        let path = "/\(app)/call"
        @Sendable func once(_ api: Int) async -> ClientCall {
            await client.insist(subject, "POST", path, body: body, requestID: task.key, api: api, until: limit)
        }
        let call: ClientCall
        if index % Self.twins == 0 {
            async let twin = once(index + 1)
            let first = await once(index)
            let second = await twin
            call = first.acceptedTask == nil ? second : first
        } else {
            call = await once(index)
        }
        guard let id = call.acceptedTask else { return nil }
        state.withLock { $0.ids[task.key] = id }
        return id
    }

    private func cancel(_ task: PlannedTask, _ id: String, api: Int, until limit: ContinuousClock.Instant) async {
        let subject = ChaosClient.Subject(kind: .cancel, key: task.key, task: id, user: task.user)
        _ = await client.insist(subject, "POST", "/\(app)/tasks/\(id)/cancel", api: api, until: limit)
    }

    /// Asks for every accepted task until it has ended, and once more at another App API; at most 50 calls a second.
    ///
    /// - Returns: the keys of those that had not ended within the limit.
    func settle(within limit: Duration) async -> [String] {
        let deadline = ContinuousClock.now + limit
        let users = Dictionary(tasks.map { ($0.key, $0.user) }) { first, _ in first }
        var waiting = accepted.sorted { $0.key < $1.key }
        var round = 0
        while !waiting.isEmpty, !Task.isCancelled {
            let began = ContinuousClock.now
            var left: [(key: String, value: String)] = []
            for (index, (key, id)) in waiting.enumerated() {
                guard let verdict = await poll(key, id, users[key] ?? "", api: index + round) else {
                    left.append((key, id))
                    if ContinuousClock.now >= deadline { break }
                    continue
                }
                state.withLock { $0.ended[key] = verdict }
                _ = await poll(key, id, users[key] ?? "", api: index + round + 1)
                // Sleeps only end early when the caller was cancelled, which the loop sees.
                try? await Task.sleep(for: .milliseconds(10))
            }
            waiting = left
            round += 1
            guard ContinuousClock.now < deadline else { break }
            let turn: Duration = .milliseconds(max(250, 20 * left.count))
            if !left.isEmpty { try? await Task.sleep(until: began + turn) }
        }
        let ended = self.ended
        return accepted.keys.filter { ended[$0] == nil }.sorted()
    }

    private func poll(_ key: String, _ id: String, _ user: String, api: Int) async -> Verdict? {
        let subject = ChaosClient.Subject(kind: .poll, key: key, task: id, user: user)
        return await client.call(subject, "GET", "/\(app)/result/\(id)", api: api).verdict
    }

    /// The numbers of each user: the `response` of `POST /stats`; null where there was no answer within 20 s.
    func statistics() async -> [String: JSON] {
        var numbers: [String: JSON] = [:]
        for user in Set(plan.tasks.map(\.user)).sorted() {
            let subject = ChaosClient.Subject(kind: .statistics, user: user)
            let limit = ContinuousClock.now + .seconds(20)
            let call = await client.insist(subject, "POST", "/\(app)/stats", body: [:], api: 0, until: limit)
            numbers[user] = call.answer["response"] ?? JSON.null
        }
        return numbers
    }

    /// The hashes of the originals: as sent, and as they are now; nil now when one is gone.
    func originalHashes() async -> [String: String?] {
        var hashes: [String: String?] = [:]
        for (original, reference) in zip(plan.originals, state.withLock { $0.references }) {
            hashes.updateValue(await client.hash(of: original, at: reference), forKey: original.hash)
        }
        return hashes
    }

    /// Has the callback of a task sent again, as an operator does.
    func replay(_ key: String) async -> ClientCall? {
        guard let id = accepted[key], let task = tasks.first(where: { $0.key == key }) else { return nil }
        let subject = ChaosClient.Subject(kind: .replay, key: key, task: id, user: task.user)
        let path = "/\(app)/tasks/\(id)/callbacks/replay"
        return await client.insist(subject, "POST", path, api: 0, until: .now + .seconds(20))
    }
}
