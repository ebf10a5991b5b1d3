// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import CPostgres
import Ledger
import Plumbing

/// One result of libpq, freed when it goes out of scope.
struct PostgresResult: ~Copyable {
    private let raw: OpaquePointer

    init(adopting raw: OpaquePointer) { self.raw = raw }

    deinit { PQclear(raw) }

    var status: ExecStatusType { PQresultStatus(raw) }
    var sqlState: String { PQresultErrorField(raw, CInt(UInt8(ascii: "C"))).map { String(cString: $0) } ?? "" }
    var message: String {
        let primary = PQresultErrorField(raw, CInt(UInt8(ascii: "M"))) ?? PQresultErrorMessage(raw)
        return primary.map { String(cString: $0) } ?? ""
    }

    /// Copies all rows out.
    func rows() -> PostgresRows {
        let (count, width) = (Int(PQntuples(raw)), Int(PQnfields(raw)))
        var rows = PostgresRows(count: count, width: width)
        for row in 0..<count {
            for column in 0..<width {
                guard PQgetisnull(raw, CInt(row), CInt(column)) == 0 else {
                    rows.append(nil)
                    continue
                }
                let length = Int(PQgetlength(raw, CInt(row), CInt(column)))
                rows.append(UnsafeRawBufferPointer(start: PQgetvalue(raw, CInt(row), CInt(column)), count: length))
            }
        }
        return rows
    }
}

/// The rows of a result in binary format, as Swift values.
struct PostgresRows: Sendable {
    let count: Int
    private let width: Int
    private var bytes: [UInt8] = []
    private var cells: [Range<Int>?] = []

    init(count: Int, width: Int) {
        self.count = count
        self.width = width
        cells.reserveCapacity(count * width)
    }

    mutating func append(_ value: UnsafeRawBufferPointer?) {
        guard let value else {
            cells.append(nil)
            return
        }
        let start = bytes.count
        bytes.append(contentsOf: value)
        cells.append(start..<bytes.count)
    }

    /// Reads every row with `read`, which takes the columns in their order.
    func map<Value>(_ read: (inout PostgresRow) throws(LedgerError) -> Value) throws(LedgerError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for index in 0..<count {
            var row = PostgresRow(rows: self, next: index * width, end: (index + 1) * width)
            values.append(try read(&row))
        }
        return values
    }

    func cell(_ index: Int) -> ArraySlice<UInt8>? { cells[index].map { bytes[$0] } }
}

/// One row, read column by column from the left.
struct PostgresRow {
    private let rows: PostgresRows
    private var next: Int
    private let end: Int

    init(rows: PostgresRows, next: Int, end: Int) {
        self.rows = rows
        self.next = next
        self.end = end
    }

    private mutating func cell() throws(LedgerError) -> ArraySlice<UInt8>? {
        guard next < end else { throw LedgerError(.corrupt, "a row has fewer columns than expected") }
        defer { next += 1 }
        return rows.cell(next)
    }

    private mutating func value<Value>(
        _ decode: (ArraySlice<UInt8>) -> Value?
    ) throws(LedgerError) -> Value? {
        guard let cell = try cell() else { return nil }
        guard let value = decode(cell) else {
            throw LedgerError(.corrupt, "a column of \(cell.count) bytes is not a \(Value.self)")
        }
        return value
    }

    private func present<Value>(_ value: Value?) throws(LedgerError) -> Value {
        guard let value else { throw LedgerError(.corrupt, "a column that is never null is null") }
        return value
    }

    mutating func idIfAny() throws(LedgerError) -> MeshID? { try value { MeshID(bytes: $0) } }
    mutating func id() throws(LedgerError) -> MeshID { try present(try idIfAny()) }

    mutating func textIfAny() throws(LedgerError) -> String? { try value { String(decoding: $0, as: UTF8.self) } }
    mutating func text() throws(LedgerError) -> String { try present(try textIfAny()) }

    mutating func bytesIfAny() throws(LedgerError) -> [UInt8]? { try value { Array($0) } }
    mutating func bytes() throws(LedgerError) -> [UInt8] { try present(try bytesIfAny()) }

    /// A `smallint`, `integer` or `bigint`.
    mutating func intIfAny() throws(LedgerError) -> Int? { try value { Self.integer($0).map(Int.init) } }
    mutating func int() throws(LedgerError) -> Int { try present(try intIfAny()) }

    mutating func bool() throws(LedgerError) -> Bool { try present(try value { $0.first.map { $0 != 0 } }) }

    mutating func doubleIfAny() throws(LedgerError) -> Double? {
        try value { Self.integer($0).map { Double(bitPattern: UInt64(bitPattern: $0)) } }
    }
    mutating func double() throws(LedgerError) -> Double { try present(try doubleIfAny()) }

    mutating func momentIfAny() throws(LedgerError) -> Timestamp? {
        try value { Self.integer($0).map { Timestamp(microseconds: $0 &+ Timestamp.postgresEpoch) } }
    }
    mutating func moment() throws(LedgerError) -> Timestamp { try present(try momentIfAny()) }

    mutating func duration() throws(LedgerError) -> Duration { .microseconds(Int64(try int())) }

    /// A `text[]` of one dimension without nulls.
    mutating func texts() throws(LedgerError) -> [String] {
        try present(
            try value { cell -> [String]? in
                var rest = cell
                func number() -> Int? {
                    defer { rest = rest.dropFirst(4) }
                    return rest.count < 4 ? nil : Self.integer(rest.prefix(4)).map(Int.init)
                }
                guard let dimensions = number(), number() != nil, number() != nil else { return nil }
                guard dimensions > 0 else { return [] }
                guard let count = number(), number() != nil else { return nil }
                var texts: [String] = []
                for _ in 0..<count {
                    guard let length = number(), length >= 0, length <= rest.count else { return nil }
                    texts.append(String(decoding: rest.prefix(length), as: UTF8.self))
                    rest = rest.dropFirst(length)
                }
                return texts
            }
        )
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> Int64? {
        let bits = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch bytes.count {
        case 2: return Int64(Int16(truncatingIfNeeded: bits))
        case 4: return Int64(Int32(truncatingIfNeeded: bits))
        case 8: return Int64(bitPattern: bits)
        default: return nil
        }
    }
}
