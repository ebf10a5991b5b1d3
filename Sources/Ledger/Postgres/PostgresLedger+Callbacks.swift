// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
import Synchronization
public import Workflow

extension PostgresLedger {
    /// Takes due callbacks; the hold is lost with the server's last moments, which only means an early second attempt.
    public func takeCallbacks(
        apps: [String],
        limit: Int,
        hold: Duration
    ) async throws(LedgerError) -> [CallbackRecord] {
        guard limit > 0, !apps.isEmpty else { return [] }
        let call = PostgresCall(
            Self.takeCallbacks,
            [PostgresList(apps), Int64(limit), hold.postgresMicroseconds]
        )
        return try await run(call, on: quick).map(PostgresCallbackColumns.read)
    }

    /// The moment by the database's clock.
    public func time() async throws(LedgerError) -> Timestamp {
        let before = ContinuousClock.now
        let rows = try await run(PostgresCall(Self.clock), on: quick)
        guard let moment = try rows.map({ row throws(LedgerError) in try row.moment() }).first else {
            throw LedgerError(.corrupt, "a clock without an answer")
        }
        serverClock.withLock { $0.learn(moment, askedAt: before) }
        return moment
    }

    /// Keeps callbacks for `hold` from now.
    public func holdCallbacks(_ ids: [MeshID], for hold: Duration) async throws(LedgerError) {
        guard !ids.isEmpty else { return }
        // By id, as whoever records attempts locks them.
        let call = PostgresCall(Self.holdCallbacks, [PostgresList(ids.sorted()), hold.postgresMicroseconds])
        _ = try await run(call, on: quick)
    }

    /// Makes held callbacks due now.
    public func releaseCallbacks(_ held: [HeldCallback]) async throws(LedgerError) {
        guard !held.isEmpty else { return }
        let call = PostgresCall(
            Self.releaseCallbacks,
            [PostgresList(held.map(\.id)), PostgresList(held.map(\.dueAt))]
        )
        _ = try await run(call, on: quick)
    }

    /// Records attempts and what they come to.
    public func record(
        _ attempts: [(attempt: CallbackAttempt, state: CallbackRecord.State, dueIn: Duration?)]
    ) async throws(LedgerError) {
        guard !attempts.isEmpty else { return }
        // By id, so that two processes that record the same callbacks can't lock each other out; the last one counts.
        let sorted = attempts.sorted {
            ($0.attempt.callback, $0.attempt.number) < ($1.attempt.callback, $1.attempt.number)
        }
        let note = PostgresCall(
            Self.insertAttempts,
            [
                PostgresList(sorted.map(\.attempt.callback)),
                PostgresList(sorted.map { Int32(clamping: $0.attempt.number) }),
                PostgresList(sorted.map(\.attempt.startedAt)),
                PostgresList(sorted.map(\.attempt.duration.postgresMicroseconds)),
                PostgresList(optional: sorted.map { $0.attempt.status.map { Int32(clamping: $0) } }),
                PostgresList(optional: sorted.map(\.attempt.error)),
            ]
        )
        let updates = Self.rounds(of: sorted).map { round in
            PostgresCall(
                Self.updateCallbacks,
                [
                    PostgresList(round.map(\.attempt.callback)),
                    PostgresList(round.map { Int32(clamping: $0.attempt.number) }),
                    PostgresList(round.map(\.state.code)),
                    PostgresList(optional: round.map { $0.dueIn?.postgresMicroseconds }),
                ]
            )
        }
        try await retryingConflicts { () async throws(LedgerError) in _ = try await run([note] + updates, on: durable) }
    }

    private typealias Attempted = (attempt: CallbackAttempt, state: CallbackRecord.State, dueIn: Duration?)

    /// Parts of sorted attempts that have each callback once: the next one of a callback builds upon the one before.
    private static func rounds(of sorted: [Attempted]) -> [[Attempted]] {
        var rounds: [[Attempted]] = []
        var place = 0
        for (index, entry) in sorted.enumerated() {
            place = index > 0 && sorted[index - 1].attempt.callback == entry.attempt.callback ? place + 1 : 0
            if place == rounds.count { rounds.append([]) }
            rounds[place].append(entry)
        }
        return rounds
    }

    /// The callbacks of a task with their attempts.
    public func callbacks(
        of task: TaskID
    ) async throws(LedgerError) -> [(callback: CallbackRecord, attempts: [CallbackAttempt])] {
        let rows = try await run(
            [PostgresCall(Self.callbacksOfTask, [task]), PostgresCall(Self.attemptsOfTask, [task])],
            on: durable
        )
        let callbacks = try rows[0].map(PostgresCallbackColumns.read)
        let attempts = try rows[1].map { row throws(LedgerError) in
            let (callback, number, startedAt) = (try row.id(), try row.int(), try row.moment())
            let (duration, status) = (try row.duration(), try row.intIfAny())
            return CallbackAttempt(
                callback: callback,
                number: number,
                startedAt: startedAt,
                duration: duration,
                status: status,
                error: try row.textIfAny()
            )
        }
        let byCallback = Dictionary(grouping: attempts, by: \.callback)
        return callbacks.map { ($0, byCallback[$0.id] ?? []) }
    }

    /// Makes a task's callbacks due now.
    public func replayCallbacks(of task: TaskID) async throws(LedgerError) -> Int {
        try await run(PostgresCall(Self.replayCallbacks, [task]), on: durable).count
    }

    // MARK: Statements

    private static let list = PostgresStatement.names(PostgresCallbackColumns.all, prefix: "c.")

    /// In turns by receiver among those due longest, so that one that is dead does not keep all others waiting.
    ///
    /// `CASE` keeps the second look from the index of what is due: a plan that is made while nothing is due would walk
    /// all of it for each callback.
    static let takeCallbacks = PostgresStatement(
        "take_callbacks",
        """
        WITH due AS (
            SELECT id, due_at, row_number() OVER (PARTITION BY split_part(url, '/', 3) ORDER BY due_at, id) AS turn
            FROM (
                SELECT id, due_at, url FROM callbacks
                WHERE state = 0 AND due_at <= statement_timestamp() AND app = ANY($1::text[])
                ORDER BY due_at LIMIT greatest($2::bigint * 8, 2000)
            ) first
        ), picked AS (
            SELECT c.id FROM due JOIN callbacks c ON c.id = due.id
            WHERE CASE WHEN c.state = 0 THEN c.due_at <= statement_timestamp() END
            ORDER BY due.turn, due.due_at LIMIT $2::bigint FOR UPDATE OF c SKIP LOCKED
        )
        UPDATE callbacks c SET due_at = statement_timestamp() + $3::bigint * interval '1 microsecond'
        FROM picked WHERE c.id = picked.id RETURNING \(list)
        """
    )

    /// Never earlier than it is due: an attempt may have been recorded meanwhile; `CASE` as above.
    static let holdCallbacks = PostgresStatement(
        "hold_callbacks",
        """
        WITH held AS (
            SELECT id FROM callbacks
            WHERE id = ANY($1::uuid[]) AND CASE WHEN state = 0 THEN due_at > statement_timestamp() END
            ORDER BY id FOR UPDATE
        )
        UPDATE callbacks c
        SET due_at = greatest(c.due_at, statement_timestamp() + $2::bigint * interval '1 microsecond')
        FROM held WHERE c.id = held.id
        """
    )

    /// Those whose hold is still the named one; `CASE` as above.
    static let releaseCallbacks = PostgresStatement(
        "release_callbacks",
        """
        WITH held AS (
            SELECT c.id FROM unnest($1::uuid[], $2::timestamptz[]) AS h(id, due_at) JOIN callbacks c ON c.id = h.id
            WHERE CASE WHEN c.state = 0 THEN c.due_at = h.due_at END
            ORDER BY c.id FOR UPDATE OF c
        )
        UPDATE callbacks c SET due_at = statement_timestamp() FROM held WHERE c.id = held.id
        """
    )

    private static let insertAttempts = PostgresStatement(
        "insert_attempts",
        """
        INSERT INTO callback_attempts (callback_id, number, started_at, duration, status, error)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::bigint[], $5::int[], $6::text[])
            AS new (callback_id, number, started_at, duration, status, error)
        WHERE NOT EXISTS (
            SELECT FROM callback_attempts a WHERE a.callback_id = new.callback_id AND a.started_at = new.started_at
        )
        """
    )

    /// What was delivered stays delivered; the first look locks by id, whatever way the plan takes.
    ///
    /// An attempt that others have overtaken, above all a replay, changes nothing, unless it did deliver what another
    /// process has tried as well.
    static let updateCallbacks = PostgresStatement(
        "update_callbacks",
        """
        WITH held AS (SELECT id FROM callbacks WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE)
        UPDATE callbacks c SET attempts = greatest(c.attempts, u.number),
            state = u.state,
            due_at = coalesce(statement_timestamp() + u.due_in * interval '1 microsecond', c.due_at)
        FROM unnest($1::uuid[], $2::int[], $3::smallint[], $4::bigint[]) AS u(id, number, state, due_in)
        WHERE c.id = u.id AND (SELECT count(*) FROM held) > 0 AND c.state <> 1
            AND (c.attempts = u.number - 1 OR (u.state = 1 AND c.attempts >= u.number))
        """
    )

    private static let callbacksOfTask = PostgresStatement(
        "callbacks_of_task",
        "SELECT \(list) FROM callbacks c WHERE c.task_id = $1::uuid ORDER BY c.created_at, c.id"
    )

    private static let attemptsOfTask = PostgresStatement(
        "attempts_of_task",
        """
        SELECT a.callback_id, a.number, a.started_at, a.duration, a.status, a.error
        FROM callbacks c JOIN callback_attempts a ON a.callback_id = c.id WHERE c.task_id = $1::uuid ORDER BY a.id
        """
    )

    private static let replayCallbacks = PostgresStatement(
        "replay_callbacks",
        """
        UPDATE callbacks SET state = 0, attempts = 0, due_at = statement_timestamp() WHERE task_id = $1::uuid
        RETURNING id
        """
    )
}
