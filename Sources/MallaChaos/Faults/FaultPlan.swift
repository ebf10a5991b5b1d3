// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The faults of a run, from its seed alone.
///
/// All keys are shuffled in rounds, each with a seed of its own, and consecutive seeds take consecutive faults: so any
/// number of consecutive runs hits every kind of target with every kind of fault equally often, give or take one round.
struct FaultPlan: Sendable, Hashable {
    let seed: UInt64
    /// In the order of their times.
    let faults: [Fault]

    /// Makes the plan of a run.
    ///
    /// - Parameters:
    ///   - count: how many faults; the same for all seeds whose coverage shall be even.
    ///   - over: how long they are spread, seconds; a fault that finds its target busy comes later than that.
    ///   - only: a part of the keys to choose from, such as `kill worker`; it changes the plan of a seed.
    ///   - clockJumps: whether clocks can be set here; it changes the plan of a seed.
    init(seed: UInt64, count: Int, over: Double, only: String = "", clockJumps: Bool = FakeClock.canJump) {
        self.seed = seed
        var random = Seed(seed ^ 0x6661_756C_7473)
        var placed: [(fault: Fault, until: Double)] = []
        for key in Self.keys(seed: seed, count: count, among: Self.keys(only: only, clockJumps: clockJumps)) {
            let target = key.targets
            let lasting = key.kind == .gone ? over : random.between(key.duration.lowerBound, key.duration.upperBound)
            var at = key.kind == .gone ? 0 : random.between(0.3, max(0.3, over))
            var chosen = random.below(target.count)
            // The `gone` receiver disturbs no other fault: it concerns the tasks that are marked for it.
            if key.kind != .gone {
                for attempt in 0... {
                    let busy = placed.filter { $0.fault.target == target[chosen] && $0.fault.kind != .gone }
                    let until = at + lasting + key.recovery
                    guard let last = busy.map(\.until).max(),
                        busy.contains(where: { $0.fault.at < until && at < $0.until })
                    else { break }
                    chosen = random.below(target.count)
                    at = attempt < 8 ? random.between(0.3, max(0.3, over)) : last + 0.1 * Double(attempt - 7)
                }
            }
            let fault = Fault(kind: key.kind, target: target[chosen], at: at, lasting: lasting)
            placed.append((fault, at + lasting + key.recovery))
        }
        faults = placed.map(\.fault).enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
            .map(\.element)
    }

    /// The keys whose names have this part; empty when none has.
    static func keys(only part: String, clockJumps: Bool = FakeClock.canJump) -> [FaultKey] {
        FaultKey.all(clockJumps: clockJumps).filter { part.isEmpty || $0.description.contains(part) }
    }

    /// What this run does, as its part of the endless row of rounds.
    private static func keys(seed: UInt64, count: Int, among all: [FaultKey]) -> [FaultKey] {
        guard !all.isEmpty else { return [] }
        var rounds: [UInt64: [FaultKey]] = [:]
        return (0..<max(0, count)).map { index in
            let slot = seed &* UInt64(count) &+ UInt64(index)
            let (round, position) = slot.quotientAndRemainder(dividingBy: UInt64(all.count))
            if rounds[round] == nil {
                var random = Seed(round ^ 0x726F_756E_6473)
                rounds[round] = random.shuffled(all)
            }
            return rounds[round, default: all][Int(position)]
        }
    }
}
