// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What a run's clients do, from its seed: the same seed, run and folder give the same plan.
struct LoadPlan: Sendable {
    /// The tasks by their time.
    ///
    /// Those of the method `media` name an original by its index until ``tasks(with:)``.
    let tasks: [PlannedTask]
    /// The originals that are uploaded before.
    let originals: [PlannedOriginal]

    /// How often a method is called, in per cent; what is left of a hundred is `chain`.
    private static let mix = [
        ("fan", 15), ("quorum", 10), ("branch", 10), ("retry", 10), ("long", 8), ("deadline", 5), ("media", 5),
        ("poison", 2), ("big", 1),
    ]

    /// Plans a load.
    ///
    /// - Parameters:
    ///   - seed: what everything follows from.
    ///   - run: told apart from other runs of the same seed on the same mesh; a part of users and keys.
    ///   - tasks: how many; from 10 on every method is among them.
    ///   - seconds: the time over which they are submitted.
    ///   - journal: the folder of the handlers' marks; handlers on this machine write there.
    ///   - receiverGoes: whether the receiver of some tasks' callbacks is gone; it changes nothing else.
    init(
        seed: UInt64,
        run: String,
        tasks count: Int,
        over seconds: Double,
        journal: String,
        receiverGoes: Bool = true
    ) {
        var random = Seed(seed)
        let users = ["a", "b"].map { "u\(seed)\(run.isEmpty ? "" : "-\(run)")-\($0)" }
        let originals = users.enumerated().flatMap { number, user in
            (0..<2).map { PlannedOriginal(user: user, name: "original-\(seed)-\(run)-\(number)-\($0).bin") }
        }
        self.originals = originals
        // One of each first, so that a small plan has them all.
        let more = Self.mix.flatMap { name, percent in
            Array(repeating: name, count: max(1, (count * percent + 50) / 100) - 1)
        }
        let each = ["chain"] + Self.mix.map(\.0)
        let chains = Array(repeating: "chain", count: max(0, count - each.count - more.count))
        let methods = random.shuffled(Array((each + more + chains).prefix(count)))
        let times = methods.map { _ in random.unit() * seconds }.sorted()
        let gone = Set(random.shuffled(Array(methods.indices)).prefix((count + 49) / 50))
        tasks = methods.indices.map { index in
            let owner = random.below(users.count)
            var writer = PayloadWriter(
                key: "s\(seed)\(run.isEmpty ? "" : "-\(run)")-\(index)",
                journal: journal,
                originals: originals.enumerated().filter { $0.element.user == users[owner] },
                random: random
            )
            let (payload, verdict) = writer.write(methods[index])
            random = writer.random
            let isCancelled = random.chance(methods[index] == "long" ? 0.4 : 0.06)
            let cancelAfter = isCancelled ? random.between(0, methods[index] == "long" ? 2.5 : 0.5) : nil
            var verdicts = verdict
            if isCancelled { verdicts.insert(.cancelled) }
            return PlannedTask(
                key: writer.key,
                user: users[owner],
                method: methods[index],
                payload: payload,
                at: times[index],
                cancelAfter: cancelAfter,
                deadline: methods[index] == "deadline" ? ChaosDefinitions.shortDeadline : nil,
                verdicts: verdicts,
                receiverIsGone: receiverGoes && gone.contains(index)
            )
        }
    }

    /// The tasks with the references of the uploaded originals, in the order of ``originals``.
    func tasks(with references: [String]) -> [PlannedTask] {
        tasks.map { task in
            guard task.method == "media", var payload = task.payload.object, let index = payload["original"]?.int,
                references.indices.contains(index)
            else { return task }
            payload["original"] = .string(references[index])
            return PlannedTask(
                key: task.key,
                user: task.user,
                method: task.method,
                payload: .object(payload),
                at: task.at,
                cancelAfter: task.cancelAfter,
                deadline: task.deadline,
                verdicts: task.verdicts,
                receiverIsGone: task.receiverIsGone
            )
        }
    }
}
