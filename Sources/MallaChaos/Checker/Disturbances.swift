// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The faults of a run, as far as they excuse something.
struct Disturbances: Sendable {
    /// What a fault touches.
    struct Parts: OptionSet, Sendable {
        let rawValue: Int

        static let workers = Parts(rawValue: 1)
        static let handlers = Parts(rawValue: 2)
        static let appAPIs = Parts(rawValue: 4)
        static let serviceAPIs = Parts(rawValue: 8)
        /// PostgreSQL, or somebody's way to it.
        static let ledger = Parts(rawValue: 16)
        /// Redis, or somebody's way to it.
        static let redis = Parts(rawValue: 32)
        static let rabbit = Parts(rawValue: 64)
        static let receiver = Parts(rawValue: 128)
        static let media = Parts(rawValue: 256)
        /// A worker that stands still and then goes on as if nothing had been.
        static let frozenWorkers = Parts(rawValue: 512)
        /// What PostgreSQL had not flushed is gone.
        static let lostClaims = Parts(rawValue: 1024)
    }

    private let faults: [FaultRecord]
    private let records: [(began: Double, ended: Double, parts: Parts)]
    /// Those that may cost a worker its jobs: of the worker itself or its way to the ledger; nil is the ledger itself.
    private let losses: [(began: Double, ended: Double, worker: String?)]

    init(_ faults: [FaultRecord]) {
        self.faults = faults
        records = faults.map { ($0.began, max($0.began, $0.ended), Self.parts(of: $0.fault)) }
        losses = faults.compactMap { record in
            let worker: String?
            switch record.fault.target {
            case .role(let role) where role.kind == .worker: worker = role.rawValue
            case .link(let link) where link.from.kind == .worker && link.to == .server(.postgres):
                worker = link.from.rawValue
            case .server(.postgres): worker = nil
            default: return nil
            }
            return (record.began, max(record.began, record.ended), worker)
        }
    }

    /// Whether a worker may have lost a job that it had in a time, or what it said of one.
    ///
    /// Only its beats in the ledger keep its jobs, so no other server and nobody else's trouble takes them away.
    /// - Parameters:
    ///   - worker: its role; nil, where that is not known, is any worker.
    ///   - tail: for how long after its end a fault still counts, seconds.
    func mayLose(_ worker: String?, from: Double, to: Double, tail: Double) -> Bool {
        losses.contains { loss in
            guard loss.began <= to, loss.ended + tail >= from else { return false }
            guard let worker, let hit = loss.worker else { return true }
            return hit == worker
        }
    }

    /// The latest end of the faults that touch one of these parts and overlap a time; nil when none does.
    ///
    /// - Parameter tail: for how long after its end a fault still counts, seconds.
    func end(of parts: Parts, from: Double, to: Double, tail: Double = 0) -> Double? {
        var latest: Double?
        for record in records where !record.parts.isDisjoint(with: parts) {
            guard record.began <= to, record.ended + tail >= from else { continue }
            latest = max(latest ?? record.ended, record.ended)
        }
        return latest
    }

    /// The latest end of the faults that fit and overlap a time; nil when none does.
    ///
    /// What a fault excuses is told by its very role and link here, not by their kinds.
    /// - Parameter tail: for how long after its end a fault still counts, seconds.
    func end(from: Double, to: Double, tail: Double = 0, where fits: (Fault) -> Bool) -> Double? {
        var latest: Double?
        for record in faults where record.began <= to && fits(record.fault) {
            let ended = max(record.began, record.ended)
            guard ended + tail >= from else { continue }
            latest = max(latest ?? ended, ended)
        }
        return latest
    }

    /// The faults of a kind on a worker, or on any where its name is not known.
    func faults(_ kind: Fault.Kind, of worker: String?) -> [FaultRecord] {
        faults.filter { $0.fault.kind == kind && $0.fault.isOf(worker: worker) }
    }

    /// Whether a server's process was ended.
    func ended(_ server: Server) -> Bool {
        faults.contains { $0.fault.target == .server(server) && [.kill, .restart, .wipe].contains($0.fault.kind) }
    }

    /// For how many seconds of a time one of these servers itself was away.
    func outage(of servers: Set<Server>, from: Double, to: Double) -> Double {
        let spans = faults.filter { record in servers.contains { record.fault.target == .server($0) } }
            .map { (from: max(from, $0.began), to: min(to, $0.ended)) }.filter { $0.from < $0.to }
        var (sum, end) = (0.0, from)
        for span in spans.sorted(by: { $0.from < $1.from }) {
            sum += max(0, span.to - max(span.from, end))
            end = max(end, span.to)
        }
        return sum
    }

    /// Whether the faults are those of a deploy: roles that are restarted one after the other, and nothing else.
    var areADeploy: Bool {
        guard !faults.isEmpty else { return false }
        let ordered = faults.sorted { $0.began < $1.began }
        return ordered.allSatisfy { record in
            guard case .role = record.fault.target else { return false }
            return record.fault.kind == .restart
        } && zip(ordered, ordered.dropFirst()).allSatisfy { $0.ended < $1.began }
    }

    /// When the last fault was over; nil without faults.
    var end: Double? { records.map(\.ended).max() }

    private static func parts(of fault: Fault) -> Parts {
        var parts: Parts
        switch fault.target {
        case .role(let role): parts = self.parts(of: role.kind)
        case .server(let server): parts = self.parts(of: server)
        case .receiver: parts = .receiver
        case .link(let link):
            parts = self.parts(of: link.from.kind)
            switch link.to {
            case .server(let server): parts.formUnion(self.parts(of: server))
            case .serviceAPI: parts.insert(.serviceAPIs)
            case .receiver: parts.insert(.receiver)
            }
        }
        switch fault.kind {
        case .killHandlers: parts.insert(.handlers)
        case .freeze where parts == .workers: parts.insert(.frozenWorkers)
        case .kill where fault.target == .server(.postgres): parts.insert(.lostClaims)
        default: break
        }
        return parts
    }

    private static func parts(of kind: Role.Kind) -> Parts {
        switch kind {
        case .appAPI: .appAPIs
        case .serviceAPI: .serviceAPIs
        case .worker: .workers
        }
    }

    private static func parts(of server: Server) -> Parts {
        switch server {
        case .rabbit: .rabbit
        case .redis: .redis
        case .postgres: .ledger
        case .s3: .media
        }
    }
}

extension Fault {
    /// Whether it is one of a worker's own process; nil is any worker.
    func isOf(worker: String?) -> Bool {
        guard case .role(let role) = target, role.kind == .worker else { return false }
        return worker.map { $0 == role.rawValue } ?? true
    }

    /// Whether it is one of a worker's way to a server, or of the server itself; nil is any worker.
    func isOf(_ server: Server, on worker: String?) -> Bool {
        switch target {
        case .server(server): return true
        case .link(let link) where link.to == .server(server) && link.from.kind == .worker:
            return worker.map { $0 == link.from.rawValue } ?? true
        default: return false
        }
    }

    /// Whether it is one of an App API's process, or of its way to one of these ends; nil is any App API.
    func isOf(api: Role?, to ends: [Link.End]) -> Bool {
        switch target {
        case .role(let role) where role.kind == .appAPI: return api.map { $0 == role } ?? true
        case .link(let link) where link.from.kind == .appAPI && ends.contains(link.to):
            return api.map { $0 == link.from } ?? true
        default: return false
        }
    }
}
