// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

internal import Workflow

/// What is not about one task: statistics, originals, and what is left over.
enum SurroundingRules {
    static func check(_ evidence: Evidence, _ found: inout Findings) {
        checkStatistics(evidence, &found)
        for (hash, now) in evidence.history.originals.sorted(by: { $0.key < $1.key }) where now != hash {
            found.add(.originalsStay, hash, now.map { "its bytes are \($0) now" } ?? "it is gone")
        }
        checkLeftovers(evidence, &found)
    }

    private static func checkStatistics(_ evidence: Evidence, _ found: inout Findings) {
        let rows = Dictionary(grouping: evidence.tasks, by: \.user)
        let users = Set(rows.keys).union(evidence.history.tasks.map(\.user)).union(evidence.history.statistics.keys)
        for user in users.sorted() {
            guard let answer = evidence.history.statistics[user] else {
                found.add(.statisticsAreRight, user, "its statistics were not told")
                continue
            }
            // They are asked for a moment after the rows were read: what went on meanwhile is in one of them only.
            guard (rows[user] ?? []).allSatisfy({ $0.verdict != nil }) else { continue }
            let told = answer["response"] ?? answer
            let ends = Dictionary(grouping: rows[user] ?? [], by: \.state).mapValues(\.count)
            func count(_ states: String...) -> Int { states.reduce(0) { $0 + ends[$1, default: 0] } }
            let expected = [
                ("numRequestSuccess", count("succeeded")), ("numRequestFailed", count("failed", "timed_out")),
                ("numRequestCancelled", count("cancelled")), ("numRequestTimedOut", count("timed_out")),
                ("numRequestPending", 0), ("numRequestRunning", count("running")),
            ]
            for (name, count) in expected where told[name]?.int != count {
                found.add(
                    .statisticsAreRight,
                    user,
                    "\(name) is \(told[name]?.text ?? "missing"), the ledger has \(count)"
                )
            }
        }
    }

    private static func checkLeftovers(_ evidence: Evidence, _ found: inout Findings) {
        let leftovers = evidence.history.leftovers
        // An S3 server that is ended while it writes leaves its own temporary file, which nobody else can clear.
        let s3Fell = evidence.disturbances.ended(.s3)
        let objects = leftovers.objects.filter { !s3Fell || !$0.contains("/.rclone_temp_put") }
        for (queue, count) in leftovers.messages.sorted(by: { $0.key < $1.key }) where count != 0 {
            found.add(.nothingIsLeft, "queue \(queue)", "\(count) messages")
        }
        let kinds = [
            ("crash", leftovers.crashes), ("process", leftovers.orphans), ("connection", leftovers.connections),
            ("descriptor", leftovers.descriptors), ("file", leftovers.files), ("object", objects),
        ]
        for (kind, list) in kinds {
            for item in list { found.add(.nothingIsLeft, kind, item) }
        }
    }
}
