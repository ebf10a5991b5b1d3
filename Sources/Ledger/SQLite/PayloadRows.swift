// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB

/// Where the input and the result of a job lie: in its row while they are small, else in `payloads`.
///
/// SQLite logs whole pages. A job's row is written some three times in its life, and a page that holds ten rows instead
/// of one is logged once for ten jobs that are claimed together; a payload is written once. Rows that an earlier version
/// wrote hold theirs, however large.
struct PayloadRows {
    /// What goes into the job's row; nil where there is no payload, or it lies in `payloads`.
    let inline: Data?
    /// Its place in `payloads`.
    let place: Int64?

    /// Up to so many bytes stay in the job's row.
    static let inlineBytes = 256

    static let tables = """
        CREATE TABLE payloads (place INTEGER NOT NULL PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
        ALTER TABLE jobs ADD COLUMN input_place INTEGER;
        ALTER TABLE jobs ADD COLUMN result_place INTEGER;
        """

    static let input = "coalesce((SELECT bytes FROM payloads WHERE place = jobs.input_place), input)"
    static let result = "coalesce((SELECT bytes FROM payloads WHERE place = jobs.result_place), result)"
    /// The lengths lie in the rows' heads, so nothing of the results is read for this.
    static let resultLength = """
        coalesce((SELECT length(bytes) FROM payloads WHERE place = jobs.result_place), length(result))
        """

    /// Keeps a payload; it is the job's once the job's row tells its place.
    init(keeping bytes: [UInt8]?, _ db: Database) throws {
        guard let bytes, bytes.count > Self.inlineBytes else {
            (inline, place) = (bytes?.blob, nil)
            return
        }
        try db.run("INSERT INTO payloads (bytes) VALUES (?)", [bytes.blob])
        (inline, place) = (nil, db.lastInsertedRowID)
    }

    /// Removes the payloads of the jobs for which a condition holds.
    static func delete(where condition: String, _ arguments: StatementArguments, _ db: Database) throws {
        for column in ["input_place", "result_place"] {
            try db.run(
                """
                DELETE FROM payloads WHERE place IN (
                    SELECT \(column) FROM jobs WHERE \(condition) AND \(column) IS NOT NULL)
                """,
                arguments
            )
        }
    }
}
