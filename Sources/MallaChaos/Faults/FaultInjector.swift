// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Plumbing

/// Performs the faults of a plan on a mesh, each at its time, and takes each back.
struct FaultInjector: Sendable {
    let mesh: ChaosMesh
    let receiver: any CallbackBehaving

    /// Performs a plan and returns when its last fault has been taken back.
    ///
    /// Faults of one target follow each other, also when one took longer than the plan says. When the task is
    /// cancelled, what is broken is taken back at once.
    /// - Parameter start: the moment that the plan's times count from.
    /// - Returns: every fault of the plan, as it went.
    /// - Throws: when a fault could not be performed or taken back; the others are taken back first.
    func perform(_ plan: FaultPlan, from start: ContinuousClock.Instant = .now) async throws -> [FaultRecord] {
        var queues: [Fault.Target: [Fault]] = [:]
        for fault in plan.faults where fault.kind != .gone { queues[fault.target, default: []].append(fault) }
        let gone = plan.faults.filter { $0.kind == .gone }
        return try await withThrowingTaskGroup(of: [FaultRecord].self) { group in
            for queue in queues.values {
                group.addTask {
                    var records: [FaultRecord] = []
                    for fault in queue {
                        try await Task.sleep(until: start + .seconds(fault.at))
                        records.append(try await perform(fault))
                    }
                    return records
                }
            }
            // The receiver answers 410 to marked tasks all the time of a run that has this fault.
            var records: [FaultRecord] = []
            let began = Timestamp.now.seconds
            for try await some in group { records += some }
            records += gone.map { FaultRecord(fault: $0, began: began, ended: Timestamp.now.seconds) }
            return records.sorted { $0.began < $1.began }
        }
    }

    private func perform(_ fault: Fault) async throws -> FaultRecord {
        let began = Timestamp.now.seconds
        do {
            switch fault.target {
            case .role(let role): try await perform(fault, on: role)
            case .server(let server): try await perform(fault, on: server)
            case .link(let link): try await perform(fault, on: link)
            case .receiver: try await perform(fault, on: receiver)
            }
        } catch {
            throw MeshFailure("\(fault.key) at \(fault.at) s: \(error)")
        }
        return FaultRecord(fault: fault, began: began, ended: Timestamp.now.seconds)
    }

    private func perform(_ fault: Fault, on role: Role) async throws {
        switch fault.kind {
        case .kill:
            try await mesh.kill(role)
            await hold(fault)
            try mesh.start(role)
        case .freeze:
            try mesh.freeze(role)
            await hold(fault)
            try mesh.thaw(role)
        case .restart:
            try await mesh.terminate(role)
            try mesh.start(role)
        case .killHandlers:
            try await Self.untilSome(within: .seconds(60), "\(role.rawValue) has no handler to kill") {
                try mesh.killHandlers(of: role)
            }
        case .clockJump:
            // Only a process that was started for it has a clock that can be set, in both directions by the plan.
            try await mesh.kill(role)
            try await mesh.startWithClock(role)
            // Servers may be down meanwhile, and a busy machine takes its time to start them.
            try await mesh.ready(role, within: .seconds(180))
            try await mesh.setClock(of: role, off: Int(fault.at * 1000) % 2 == 0 ? 3600 : -3600)
            await hold(fault)
            try await mesh.setClock(of: role, off: 0)
            try await mesh.kill(role)
            try mesh.start(role)
        default: throw impossible(fault)
        }
    }

    private func perform(_ fault: Fault, on server: Server) async throws {
        switch fault.kind {
        case .kill:
            try await mesh.kill(server)
            await hold(fault)
            try await mesh.start(server)
        case .freeze:
            try mesh.freeze(server)
            await hold(fault)
            mesh.thaw(server)
        case .restart:
            try await mesh.terminate(server)
            try await mesh.start(server)
        case .wipe where server == .rabbit: try await mesh.wipe()
        case .flush where server == .redis: try await mesh.flush()
        case .diskFull where server == .s3:
            try await mesh.setDisk(isFull: true)
            await hold(fault)
            try await mesh.setDisk(isFull: false)
        default: throw impossible(fault)
        }
    }

    private func perform(_ fault: Fault, on link: Link) async throws {
        let mode: LinkMode =
            switch fault.kind {
            case .cut: .cut
            case .halfOpen: .halfOpen
            case .slow: .slow
            default: throw impossible(fault)
            }
        try await mesh.set(mode, on: link)
        await hold(fault)
        try await mesh.set(.clean, on: link)
    }

    private func perform(_ fault: Fault, on receiver: any CallbackBehaving) async throws {
        guard fault.kind == .hang || fault.kind == .serverError else { throw impossible(fault) }
        receiver.behave(fault.kind)
        await hold(fault)
        receiver.behave(nil)
    }

    /// Repeats what hits nothing until it hits something: a fault that did not happen must not be counted.
    ///
    /// - Throws: ``MeshFailure`` when nothing was hit within the limit.
    static func untilSome(within limit: Duration, _ failure: String, _ hit: () throws -> Int) async throws {
        let deadline = ContinuousClock.now + limit
        while try hit() == 0 {
            guard ContinuousClock.now < deadline else { throw MeshFailure(failure) }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Lets the fault last; a cancelled task goes on at once, to take it back.
    private func hold(_ fault: Fault) async { try? await Task.sleep(for: .seconds(fault.lasting)) }

    private func impossible(_ fault: Fault) -> MeshFailure { MeshFailure("\(fault.key) is no fault that there is") }
}

extension Timestamp {
    /// Seconds since 1970.
    fileprivate var seconds: Double { Double(microseconds) / 1_000_000 }
}
