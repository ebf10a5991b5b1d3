// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// How large a run is.
struct RunSettings: Sendable, Hashable {
    /// How many tasks the clients submit.
    var tasks = 100
    /// How many faults happen.
    var faults = 8
    /// A part of the names of faults to choose from; empty for all.
    var only = ""
    /// Over how many seconds both are spread.
    var seconds = 8.0
    /// Whether every role is restarted in turn, as a deploy does, in place of random faults.
    var isRolling = false
    /// Whether clocks can jump; the plan of a seed is another one where they can't.
    var clockJumps = FakeClock.canJump
    /// How long everything may take to end once all faults are healed.
    var patience: Duration = .seconds(90)

    /// A deploy under load, as long as it takes.
    static func deploy(tasks: Int) -> RunSettings {
        RunSettings(tasks: tasks, faults: 0, seconds: FaultPlan.rollingSeconds, isRolling: true)
    }
}

extension RunSettings {
    /// What a record says of them; the patience changes no plan and is left out.
    var json: JSON {
        [
            "tasks": .number(JSONNumber(tasks)), "faults": .number(JSONNumber(faults)), "only": .string(only),
            "seconds": .number(JSONNumber(seconds)), "rolling": .bool(isRolling), "clock_jumps": .bool(clockJumps),
        ]
    }

    /// Reads what a record says; nil when it says none.
    init?(_ json: JSON?) {
        guard let json, let tasks = json["tasks"]?.int, let faults = json["faults"]?.int,
            let only = json["only"]?.string, let seconds = json["seconds"]?.double,
            let isRolling = json["rolling"]?.bool, let clockJumps = json["clock_jumps"]?.bool
        else { return nil }
        self.init(
            tasks: tasks,
            faults: faults,
            only: only,
            seconds: seconds,
            isRolling: isRolling,
            clockJumps: clockJumps
        )
    }
}
