// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A kind of fault on a kind of target: what the report counts.
struct FaultKey: Sendable, Hashable, CustomStringConvertible {
    /// What is hit, without telling which of several.
    enum TargetKind: Sendable, Hashable {
        case role(Role.Kind)
        case server(Server)
        case link(Role.Kind, Link.End)
        case receiver
    }

    let kind: Fault.Kind
    let target: TargetKind

    /// Such as `freeze worker`, `cut app-api -> postgres` or `kill rabbit`.
    var description: String {
        switch target {
        case .role(let role): "\(kind.rawValue) \(role.rawValue)"
        case .server(let server): "\(kind.rawValue) \(server.rawValue)"
        case .link(let role, .server(let server)): "\(kind.rawValue) \(role.rawValue) -> \(server.rawValue)"
        case .link(let role, .serviceAPI): "\(kind.rawValue) \(role.rawValue) -> service-api"
        case .link(let role, .receiver): "\(kind.rawValue) \(role.rawValue) -> receiver"
        case .receiver: "\(kind.rawValue) receiver"
        }
    }

    /// Every fault that there is, in a fixed order.
    ///
    /// - Parameter clockJumps: whether clocks can be set here.
    static func all(clockJumps: Bool) -> [FaultKey] {
        var keys: [FaultKey] = []
        func add(_ kinds: [Fault.Kind], _ targets: [TargetKind]) {
            for target in targets { for kind in kinds { keys.append(FaultKey(kind: kind, target: target)) } }
        }
        add([.kill, .freeze, .restart] + (clockJumps ? [.clockJump] : []), Role.Kind.allCases.map { .role($0) })
        add([.killHandlers], [.role(.worker)])
        add([.kill, .freeze, .restart], Server.allCases.map { .server($0) })
        add([.wipe], [.server(.rabbit)])
        add([.flush], [.server(.redis)])
        add([.diskFull], [.server(.s3)])
        var seen: Set<TargetKind> = []
        let links = Link.all.map { TargetKind.link($0.from.kind, $0.to) }.filter { seen.insert($0).inserted }
        add([.cut, .halfOpen, .slow], links)
        add([.hang, .serverError, .gone], [.receiver])
        return keys
    }

    /// The targets that a fault of this key may hit.
    var targets: [Fault.Target] {
        switch target {
        case .role(let kind): Role.allCases.filter { $0.kind == kind }.map { .role($0) }
        case .server(let server): [.server(server)]
        case .link(let kind, let end):
            Link.all.filter { $0.from.kind == kind && $0.to == end }.map { .link($0) }
        case .receiver: [.receiver]
        }
    }

    /// How long it lasts, seconds.
    var duration: ClosedRange<Double> {
        switch (kind, target) {
        // Beyond the lease: a worker's beat is judged at 6 s.
        case (.freeze, .role(.worker)): 7...9
        case (.freeze, .role): 2...8
        case (.freeze, _): 2...6
        case (.kill, _): 0.2...3
        case (.clockJump, _): 3...8
        case (.cut, _): 0.2...4
        case (.halfOpen, _): 2...9
        case (.slow, _), (.diskFull, _), (.hang, _), (.serverError, _): 2...6
        case (.restart, _), (.killHandlers, _), (.wipe, _), (.flush, _), (.gone, _): 0...0
        }
    }

    /// How long the target needs at most to be itself again in the usual case, seconds: nothing else hits it then.
    var recovery: Double {
        switch (kind, target) {
        case (.kill, .server(.rabbit)), (.restart, .server(.rabbit)), (.wipe, _): 8
        case (.restart, .role), (.clockJump, _): 7
        case (.kill, _), (.restart, _): 4
        default: 0.5
        }
    }
}

extension Fault {
    /// What the report counts it as.
    var key: FaultKey {
        switch target {
        case .role(let role): FaultKey(kind: kind, target: .role(role.kind))
        case .server(let server): FaultKey(kind: kind, target: .server(server))
        case .link(let link): FaultKey(kind: kind, target: .link(link.from.kind, link.to))
        case .receiver: FaultKey(kind: kind, target: .receiver)
        }
    }
}
