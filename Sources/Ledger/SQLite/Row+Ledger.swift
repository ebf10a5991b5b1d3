// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Foundation
import GRDB
import Ledger
import Plumbing
import Workflow

// Columns are read by their number: a name would be looked up in every row. STRICT tables hold the types.
extension Row {
    func bytes(_ index: Int) throws -> [UInt8]? {
        try withUnsafeData(atIndex: index) { data in data.map { [UInt8]($0) } }
    }

    func moment(_ index: Int) -> Timestamp? {
        (self[index] as Int64?).map { Timestamp(microseconds: $0) }
    }

    func meshID(_ index: Int) throws -> MeshID? {
        try withUnsafeData(atIndex: index) { data in
            guard let data else { return nil }
            guard let id = MeshID(bytes: data) else { throw LedgerError(.corrupt, "an id of \(data.count) bytes") }
            return id
        }
    }

    /// A value that the schema says is there.
    func some<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw LedgerError(.corrupt, "a value is missing in the row") }
        return value
    }

    func jobError(_ index: Int) throws -> JobError? {
        guard let bytes = try bytes(index) else { return nil }
        do {
            guard let error = JobError(json: try JSON(parsing: bytes)) else {
                throw LedgerError(.corrupt, "an error of no known category")
            }
            return error
        } catch let error as JSONError {
            throw LedgerError(.corrupt, "an error that is not JSON: \(error.message)")
        }
    }

    func labels(_ index: Int) throws -> JobLabels? {
        guard let bytes = try bytes(index) else { return nil }
        do {
            return JobLabels(json: try JSON(parsing: bytes))
        } catch {
            throw LedgerError(.corrupt, "labels that are not JSON: \(error)")
        }
    }
}

extension MeshID {
    /// The id as a column's value.
    var blob: Data { Data(bytes) }
}

extension JobError {
    /// The error as a column's value; JSON, since SQLite's text would end at a NUL.
    var blob: Data { Data(json.bytes) }
}

extension [UInt8] {
    /// The bytes as a column's value.
    var blob: Data { Data(self) }
}

extension Database {
    /// Runs a statement that is kept compiled, without a result.
    func run(_ sql: String, _ arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// Fetches the rows of a statement that is kept compiled.
    func rows<Value>(_ sql: String, _ arguments: StatementArguments, _ decode: (Row) throws -> Value) throws -> [Value]
    {
        let cursor = try Row.fetchCursor(cachedStatement(sql: sql), arguments: arguments)
        var values: [Value] = []
        while let row = try cursor.next() { values.append(try decode(row)) }
        return values
    }

    /// Fetches the first row of a statement that is kept compiled.
    func first<Value>(_ sql: String, _ arguments: StatementArguments, _ decode: (Row) throws -> Value) throws -> Value?
    {
        let cursor = try Row.fetchCursor(cachedStatement(sql: sql), arguments: arguments)
        return try cursor.next().map(decode)
    }
}
