// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// A statement that a connection prepares once under its name.
struct PostgresStatement: Sendable {
    /// The name on the server; empty for a statement that is not prepared.
    let name: String
    let text: String
    /// The SQLSTATE that only means that another call was faster, so that trying again is right.
    let race: String?

    init(_ name: String, _ text: String, race: String? = nil) {
        self.name = name
        self.text = text
        self.race = race
    }

    /// A statement that runs once and is not worth a name.
    static func once(_ text: String) -> PostgresStatement { PostgresStatement("", text) }

    static let begin = PostgresStatement("begin", "BEGIN")
    static let commit = PostgresStatement("commit", "COMMIT")
    static let rollback = PostgresStatement("rollback", "ROLLBACK")

    /// `unnest($from::type[], …) AS u(name, …)` for columns of multi-row statements.
    static func unnest(_ columns: [(name: String, type: String)], from first: Int = 1) -> String {
        let lists = columns.enumerated().map { "$\(first + $0.offset)::\($0.element.type)[]" }
        return "unnest(\(lists.joined(separator: ", "))) AS u(\(names(columns)))"
    }

    /// The names of columns, with commas.
    static func names(_ columns: [(name: String, type: String)], prefix: String = "") -> String {
        columns.map { prefix + $0.name }.joined(separator: ", ")
    }
}

/// A statement with its parameters, encoded and ready to go out from any thread.
struct PostgresCall: Sendable {
    let statement: PostgresStatement
    private(set) var bytes: [UInt8] = []
    /// Where each parameter lies in `bytes`; nil for a null.
    private(set) var spans: [Range<Int>?] = []

    init(_ statement: PostgresStatement, _ parameters: [any PostgresParameter] = []) {
        self.statement = statement
        spans.reserveCapacity(parameters.count)
        bytes.reserveCapacity(parameters.reduce(0) { $0 + $1.largeSize })
        for parameter in parameters {
            let start = bytes.count
            let isNull = parameter.append(to: &bytes)
            spans.append(isNull ? nil : start..<bytes.count)
        }
    }
}
