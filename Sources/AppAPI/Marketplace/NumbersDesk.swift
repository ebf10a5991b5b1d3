// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing

/// Asks the ledger for numbers without letting them cost it much.
///
/// Counting reads every task of the time that is asked for. So those who ask the same at once share one answer, the
/// questions go one after the other, and an answer that took long serves for ten times as long: counting never takes
/// more than about a tenth of a connection's time for a question, however often it is asked.
actor NumbersDesk {
    private struct Question: Hashable {
        var app: String
        var user: String?
        var from: Timestamp?
        var to: Timestamp?

        init(_ query: NumbersQuery) {
            (app, user, from, to) = (query.app, query.user, query.from, query.to)
        }
    }

    private struct Answer {
        var numbers: [Numbers]
        var until: ContinuousClock.Instant
    }

    private typealias Outcome = Result<[Numbers], LedgerError>

    private static let longestKept: Duration = .seconds(60)
    private static let mostKept = 1000

    private let ledger: any Ledger
    private let dear: Duration
    private let factor: Int
    private var asked: [Question: Task<Outcome, Never>] = [:]
    private var kept: [Question: Answer] = [:]
    /// The last question about one user and the last about all, which takes longer: each waits only for its own kind.
    private var last: (user: Task<Outcome, Never>?, all: Task<Outcome, Never>?)

    /// - Parameters:
    ///   - dear: what took less is asked anew each time.
    ///   - factor: for how many times as long as it took an answer serves.
    init(ledger: any Ledger, dear: Duration = .milliseconds(100), factor: Int = 10) {
        self.ledger = ledger
        self.dear = dear
        self.factor = factor
    }

    /// The numbers; at most a minute old.
    func numbers(_ query: NumbersQuery) async throws(LedgerError) -> [Numbers] {
        let question = Question(query)
        if let answer = kept[question], ContinuousClock.now < answer.until { return answer.numbers }
        if let asked = asked[question] { return try await asked.value.get() }
        let before = query.user == nil ? last.all : last.user
        // Unstructured: whoever asked first may leave, the others still wait for it.
        let task = Task { [ledger] in
            _ = await before?.value
            let start = ContinuousClock.now
            let outcome: Outcome
            do throws(LedgerError) {
                outcome = .success(try await ledger.numbers(query))
            } catch {
                outcome = .failure(error)
            }
            self.settle(question, outcome, took: .now - start)
            return outcome
        }
        asked[question] = task
        if query.user == nil { last.all = task } else { last.user = task }
        return try await task.value.get()
    }

    private func settle(_ question: Question, _ outcome: Outcome, took: Duration) {
        asked[question] = nil
        guard case .success(let numbers) = outcome, took >= dear else { return }
        let now = ContinuousClock.now
        if kept.count >= Self.mostKept { kept = kept.filter { $0.value.until > now } }
        guard kept.count < Self.mostKept else { return }
        kept[question] = Answer(numbers: numbers, until: now + min(took * factor, Self.longestKept))
    }
}
