// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// One run: a load and faults from a seed on a mesh that was whole before, and all that is known of it afterwards.
struct ChaosRun: Sendable {
    let mesh: ChaosMesh
    let receiver: Receiver
    let settings: RunSettings

    /// Performs the run of this seed and waits until everything has ended, or the patience is over.
    ///
    /// - Parameter run: tells this run from earlier ones of the same seed on the same mesh; it is a part of users and
    ///   keys.
    /// - Throws: when a fault could not be performed, or the mesh did not come back.
    func perform(seed: UInt64, run: String) async throws -> History {
        let journal = "\(mesh.folder)/journal/\(seed)-\(run)"
        try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: true)
        let faults =
            settings.isRolling
            ? FaultPlan.rolling(seed: seed)
            : FaultPlan(
                seed: seed,
                count: settings.faults,
                over: settings.seconds,
                only: settings.only,
                clockJumps: settings.clockJumps
            )
        let plan = LoadPlan(
            seed: seed,
            run: run,
            tasks: settings.tasks,
            over: settings.seconds,
            journal: journal,
            receiverGoes: faults.faults.contains { $0.kind == .gone }
        )
        let client = ChaosClient(apis: mesh.appURLs, token: mesh.marketplaceToken)
        let outcome: Result<History, any Error>
        do {
            outcome = .success(try await perform(plan, faults, client: client, journal: journal, seed: seed))
        } catch {
            outcome = .failure(error)
        }
        await client.close()
        var history = try outcome.get()
        // Only now: the clients' own connections are nothing that is left over.
        history.leftovers = try await mesh.leftovers()
        return history
    }

    private func perform(
        _ plan: LoadPlan,
        _ faults: FaultPlan,
        client: ChaosClient,
        journal: String,
        seed: UInt64
    ) async throws -> History {
        let load = Load(plan, client: client)
        try await load.prepare()
        receiver.refuse(load.gone)
        let began = ChaosClient.now
        async let records = FaultInjector(mesh: mesh, receiver: receiver).perform(faults)
        await load.run()
        let performed = try await records
        try await mesh.heal()
        receiver.behave(nil)
        _ = await load.settle(within: settings.patience)
        try await rest(of: plan)
        return History(
            seed: seed,
            began: began,
            ended: ChaosClient.now,
            tasks: load.tasks,
            calls: load.calls,
            marks: try HandlerJournal.read(journal),
            callbacks: receiver.takeArrivals(),
            faults: performed,
            rows: try await LedgerRows.read(users: users(of: plan), sql: mesh.sql),
            statistics: await load.statistics(),
            originals: await load.originalHashes(),
            leftovers: Leftovers()
        )
    }

    private func users(of plan: LoadPlan) -> [String] { Set(plan.tasks.map(\.user)).sorted() }

    /// Waits until no callback of the run is pending and no ticket is left; what still is then, the checker finds.
    private func rest(of plan: LoadPlan) async throws {
        let names = users(of: plan).map { "'\($0)'" }.joined(separator: ",")
        let pending = """
            SELECT count(*) AS n FROM callbacks c JOIN tasks t ON t.id = c.task_id
            WHERE c.state = 0 AND t.user_id IN (\(names))
            """
        let limit = ContinuousClock.now + settings.patience
        while ContinuousClock.now < limit {
            let open = try await mesh.sql(pending).first?["n"]?.int ?? 0
            if open == 0 { break }
            try await Task.sleep(for: .milliseconds(200))
        }
        let tickets = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < tickets {
            if try await mesh.queueDepths().values.allSatisfy({ $0 == 0 }) { return }
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
