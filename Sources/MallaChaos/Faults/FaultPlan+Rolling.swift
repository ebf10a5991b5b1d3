// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

extension FaultPlan {
    /// How long a role has until the next one is restarted, seconds: a worker drains for 5 s at most.
    private static let pause = 6.0

    /// A deploy: every role is restarted once, one after the other.
    static func rolling(seed: UInt64) -> FaultPlan {
        let faults = Role.allCases.enumerated().map { index, role in
            Fault(kind: .restart, target: .role(role), at: 1 + pause * Double(index), lasting: 0)
        }
        return FaultPlan(seed: seed, faults: faults)
    }

    /// How long a deploy takes, seconds.
    static let rollingSeconds = 1 + pause * Double(Role.allCases.count)

    private init(seed: UInt64, faults: [Fault]) {
        self.seed = seed
        self.faults = faults
    }
}
