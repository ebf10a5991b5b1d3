// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// Writes the payload of a task: what each handler is to do, and how the task ends by that.
struct PayloadWriter {
    let key: String
    let journal: String
    /// The originals that the task's user may read, with their places in the plan.
    let originals: [(offset: Int, element: PlannedOriginal)]
    var random: Seed

    private var members: [(String, JSON)] = []

    /// Prepares for one task.
    init(
        key: String,
        journal: String,
        originals: [(offset: Int, element: PlannedOriginal)],
        random: Seed
    ) {
        self.key = key
        self.journal = journal
        self.originals = originals
        self.random = random
    }

    /// The payload of a method, and the ends that the handlers' answers and the deadline allow.
    mutating func write(_ method: String) -> (payload: JSON, verdicts: Set<Verdict>) {
        members = [("key", .string(key)), ("journal", .string(journal))]
        let verdicts: Set<Verdict>
        switch method {
        case "fan": verdicts = fan()
        case "quorum": verdicts = quorum()
        case "branch": verdicts = branch()
        case "retry": verdicts = retry()
        case "long": verdicts = long()
        case "deadline": verdicts = deadline()
        case "media": verdicts = media()
        case "poison": verdicts = act(["first": ["kind": "die"], "last": quick()], .failed)
        case "big": verdicts = big()
        default: verdicts = act(["first": quick(), "second": quick(), "third": quick()], .succeeded)
        }
        return (.object(JSONObject(members)), verdicts)
    }

    private mutating func act(_ stages: JSON, _ verdict: Verdict) -> Set<Verdict> {
        members.append(("do", stages))
        return [verdict]
    }

    private mutating func fan() -> Set<Verdict> {
        // None, one and many; in one of eight an item fails for good and the task with it.
        let count = random.chance(0.1) ? 0 : random.chance(0.1) ? 1 : 2 + random.below(29)
        var items = (0..<count).map { _ in random.chance(0.1) ? failing(1 + random.below(2)) : quick() }
        let fails = count > 0 && random.chance(0.125)
        if fails { items[random.below(count)] = hopeless() }
        members.append(("items", .array(items)))
        return act(["last": quick()], fails ? .failed : .succeeded)
    }

    private mutating func quorum() -> Set<Verdict> {
        let count = 4 + random.below(13)
        let isMet = !random.chance(0.2)
        let good = isMet ? ChaosDefinitions.quorum + random.below(count - 3) : random.below(ChaosDefinitions.quorum)
        let items = (0..<count).map { $0 < good ? quick() : hopeless() }
        members.append(("items", .array(random.shuffled(items))))
        return act(["last": quick()], isMet ? .succeeded : .failed)
    }

    private mutating func branch() -> Set<Verdict> {
        // A third takes neither.
        members.append(("branch", .string(["left", "right", "none"][random.below(3)])))
        return act(["left": quick(), "right": quick(), "last": quick()], .succeeded)
    }

    private mutating func retry() -> Set<Verdict> {
        if random.chance(0.3) { return act(["first": hopeless(), "last": quick()], .failed) }
        return act(["first": failing(1 + random.below(2)), "last": failing(random.below(2))], .succeeded)
    }

    private mutating func long() -> Set<Verdict> {
        let isDeaf = random.chance(0.15)
        return act(["first": sleeping(random.between(0.5, 4), isDeaf: isDeaf), "last": quick()], .succeeded)
    }

    private mutating func deadline() -> Set<Verdict> {
        let limit = ChaosDefinitions.shortDeadline
        let seconds: Double
        switch random.below(3) {
        case 0: seconds = random.between(0.1, 0.6)
        case 1: seconds = random.between(limit - 0.4, limit + 0.4)
        // So long that no outage of the ledger lets it succeed before the deadline is seen to; it is stopped by then.
        default: seconds = 30
        }
        _ = act(["first": sleeping(seconds, isDeaf: random.chance(0.2))], .timedOut)
        return seconds > limit * 2 ? [.timedOut] : [.succeeded, .timedOut]
    }

    private mutating func media() -> Set<Verdict> {
        let (index, original) = originals[random.below(originals.count)]
        members.append(("original", .number(JSONNumber(index))))
        members.append(("hash", .string(original.hash)))
        return [.succeeded]
    }

    private mutating func big() -> Set<Verdict> {
        let size = 280_000 + random.below(120_000)
        let first: JSON = ["kind": "big", "size": .number(JSONNumber(size))]
        return act(["first": first, "last": quick()], .succeeded)
    }

    // What a handler may be told.

    private mutating func quick() -> JSON {
        random.chance(0.5) ? ["kind": "ok"] : ["kind": "ok", "seconds": number(random.between(0.005, 0.1))]
    }

    private mutating func hopeless() -> JSON {
        random.chance(0.5) ? ["kind": "refuse"] : ["kind": "fail-always"]
    }

    /// Fails in the first claims; two of them are within every stage's limit.
    private func failing(_ attempts: Int) -> JSON {
        attempts == 0 ? ["kind": "ok"] : ["kind": "fail-attempts", "n": .number(JSONNumber(attempts))]
    }

    private func sleeping(_ seconds: Double, isDeaf: Bool) -> JSON {
        ["kind": "ok", "seconds": number(seconds), "deaf": .bool(isDeaf)]
    }

    /// Whole milliseconds, so that a payload reads well and is the same everywhere.
    private func number(_ seconds: Double) -> JSON {
        .number(JSONNumber((seconds * 1000).rounded() / 1000))
    }
}
