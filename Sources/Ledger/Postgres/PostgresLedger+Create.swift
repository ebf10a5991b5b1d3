// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
public import Plumbing
public import Workflow

extension PostgresLedger {
    /// Creates direct jobs in one statement.
    ///
    /// A call whose answer was lost may be repeated: it finds its own jobs, and tells that they were created. An id that
    /// another job has fails it as `misuse`.
    @discardableResult
    public func create(_ jobs: [JobRecord]) async throws(LedgerError) -> [JobCreation] {
        guard !jobs.isEmpty else { return [] }
        let keys = jobs.map { $0.job.labels.flatMap(PostgresJobColumns.dedup) }
        // By key, so that two calls with the same keys can't lock each other out; the first of equal keys stays first.
        let order = jobs.indices.sorted { left, right in
            switch (keys[left], keys[right]) {
            case (nil, nil): (jobs[left].job.id, left) < (jobs[right].job.id, right)
            case (nil, _): true
            case (_, nil): false
            case (let first?, let second?):
                first == second ? left < right : first.lexicographicallyPrecedes(second)
            }
        }
        let sorted = order.map { jobs[$0] }
        let parameters = try PostgresJobColumns.parameters(sorted)
        let isPlain = jobs.allSatisfy { $0.job.labels == nil && $0.job.error == nil }
        let insert =
            isPlain
            ? PostgresCall(Self.insertPlain, parameters)
            : PostgresCall(Self.insertDirect, parameters + PostgresJobColumns.labelParameters(sorted))
        let keyed = jobs.indices.filter { keys[$0] != nil }
        let find = PostgresCall(Self.findKeys, [PostgresList(keyed.compactMap { keys[$0] })])
        return try await retryingConflicts { () async throws(LedgerError) in
            do throws(LedgerError) {
                // Whoever was faster is seen by a statement of its own only: it sees what the insert had to wait for.
                let rows = try await run([insert] + (keyed.isEmpty ? [] : [find]), on: durable)
                let found = keyed.isEmpty ? [:] : try Self.positions(rows[1], of: keyed)
                // One was there and has been swept meanwhile: the next try creates it.
                guard found.count == keyed.count else {
                    throw LedgerError(.conflict, "a job was swept while it was created again")
                }
                return Self.creations(of: jobs, existing: found)
            } catch {
                guard error.reason.hasPrefix("23505") else { throw error }
                return try await creationsBefore(jobs, keyed: keyed, find: find, or: error)
            }
        }
    }

    /// The jobs that dedup keys stand for.
    public func existing(_ labels: [JobLabels]) async throws(LedgerError) -> [JobID?] {
        let keys = labels.map(PostgresJobColumns.dedup)
        let keyed = labels.indices.filter { keys[$0] != nil }
        guard !keyed.isEmpty else { return labels.map { _ in nil } }
        let find = PostgresCall(Self.findKeys, [PostgresList(keyed.compactMap { keys[$0] })])
        let found = try Self.positions(try await run(find, on: durable), of: keyed)
        return labels.indices.map { found[$0] }
    }

    /// What became of jobs when a call before this one created them; throws `error` when none did.
    private func creationsBefore(
        _ jobs: [JobRecord],
        keyed: [Int],
        find: PostgresCall,
        or error: LedgerError
    ) async throws(LedgerError) -> [JobCreation] {
        let own = PostgresCall(
            Self.findOwn,
            [PostgresList(jobs.map(\.job.id)), PostgresList(jobs.map(\.job.createdAt))]
        )
        let rows = try await run([own, find], on: durable)
        guard rows.count == 2 else { throw error }
        let stored = Set(try Self.positions(rows[0], of: Array(jobs.indices)).keys)
        let byKey = try Self.positions(rows[1], of: keyed)
        guard jobs.indices.allSatisfy({ byKey[$0] != nil || (stored.contains($0) && !keyed.contains($0)) }) else {
            throw error
        }
        return Self.creations(of: jobs, existing: byKey)
    }

    private static func positions(_ rows: PostgresRows, of indices: [Int]) throws(LedgerError) -> [Int: JobID] {
        var found: [Int: JobID] = [:]
        for (position, id) in try rows.map({ row throws(LedgerError) in (try row.int(), try row.id()) })
        where indices.indices.contains(position - 1) {
            found[indices[position - 1]] = id
        }
        return found
    }

    private static func creations(of jobs: [JobRecord], existing: [Int: JobID]) -> [JobCreation] {
        jobs.indices.map { index in
            guard let id = existing[index], id != jobs[index].job.id else { return .created }
            return .existing(id)
        }
    }

    // MARK: Statements

    private static let insertPlain = PostgresStatement(
        "insert_plain",
        """
        INSERT INTO jobs (\(PostgresStatement.names(PostgresJobColumns.inserted)))
        SELECT \(PostgresStatement.names(PostgresJobColumns.inserted))
        FROM \(PostgresStatement.unnest(PostgresJobColumns.inserted))
        """
    )

    /// The key's digest stands for it: a key of any length must fit into the index.
    private static let insertDirect: PostgresStatement = {
        let columns = PostgresJobColumns.inserted + PostgresJobColumns.labelled
        let values = columns.map { $0.name == "dedup" ? "sha256(u.dedup)" : "u.\($0.name)" }
        return PostgresStatement(
            "insert_direct",
            """
            INSERT INTO jobs (\(PostgresStatement.names(columns)))
            SELECT \(values.joined(separator: ", ")) FROM \(PostgresStatement.unnest(columns))
            ON CONFLICT (dedup) WHERE dedup IS NOT NULL DO NOTHING
            """
        )
    }()

    static let findKeys = PostgresStatement(
        "find_keys",
        """
        SELECT u.n, j.id FROM unnest($1::bytea[]) WITH ORDINALITY AS u(key, n) JOIN jobs j ON j.dedup = sha256(u.key)
        """
    )

    /// A job that was made at the same microsecond under the same id is the same.
    private static let findOwn = PostgresStatement(
        "find_own",
        """
        SELECT u.n, j.id FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS u(id, created_at, n)
        JOIN jobs j ON j.id = u.id AND j.created_at = u.created_at
        """
    )
}
