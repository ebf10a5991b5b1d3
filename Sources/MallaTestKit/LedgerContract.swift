// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Ledger
import Plumbing
import Workflow

/// What every adapter of the ``Ledger`` port must do: cases that an adapter's tests run one by one.
///
/// ```swift
/// @Test(arguments: LedgerContract.cases)
/// func holds(_ contractCase: LedgerContract.Case) async throws {
///     try await LedgerContract(make: { (try SQLiteLedger.inMemory(), nil) }).run(contractCase)
/// }
/// ```
public struct LedgerContract: Sendable {
    /// Moves the ledger's clock on, or makes every moment in its rows that much older; either is the same to a caller.
    public typealias AdvanceClock = @Sendable (Duration) async throws -> Void

    /// Makes an empty ledger that no other case uses.
    ///
    /// Without a way to move its clock the cases
    /// wait in real time, half a minute each.
    public typealias Factory = @Sendable () async throws -> (ledger: any Ledger, advanceClock: AdvanceClock?)

    /// One thing that a ledger must do.
    public struct Case: Sendable, CustomStringConvertible {
        /// What it is about, in words.
        public let description: String
        let body: @Sendable (LedgerFixture) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (LedgerFixture) async throws -> Void) {
            self.description = description
            self.body = body
        }
    }

    /// All cases.
    public static var cases: [Case] {
        acceptCases + claimCases + assignedCases + announcedCases + jobCases + runCases + outputCases + timeCases
            + callbackCases + viewCases + directCases + retryCases + historyCases + remoteCases + queryCases
            + statisticsCases + fairCases
    }

    private let make: Factory

    /// Makes the contract of the ledgers that `make` makes.
    public init(make: @escaping Factory) {
        self.make = make
    }

    /// Runs one case on a fresh ledger and closes it.
    ///
    /// - Throws: ``LedgerContractBreach`` when the ledger breaks the contract; what the ledger throws.
    public func run(_ contractCase: Case) async throws {
        let (ledger, advanceClock) = try await make()
        do {
            try await ledger.migrate()
            let fixture = try await LedgerFixture(ledger: ledger, advanceClock: advanceClock)
            try await contractCase.body(fixture)
        } catch {
            await ledger.close()
            throw error
        }
        await ledger.close()
    }
}

/// Says where and how a ledger breaks its contract.
public struct LedgerContractBreach: Error, Sendable, CustomStringConvertible {
    /// What was expected and what was found, and where.
    public let description: String
}

/// Throws a breach unless `condition` holds.
func require(
    _ condition: Bool,
    _ message: @autoclosure () -> String,
    file: StaticString = #fileID,
    line: UInt = #line
) throws {
    if !condition { throw LedgerContractBreach(description: "\(message()) (\(file):\(line))") }
}

/// Throws a breach unless both are equal.
func requireEqual<Value: Equatable>(
    _ found: Value,
    _ expected: Value,
    _ what: String,
    file: StaticString = #fileID,
    line: UInt = #line
) throws {
    try require(found == expected, "\(what): found \(found), expected \(expected)", file: file, line: line)
}

/// Unwraps an optional or throws a breach.
func unwrap<Value>(
    _ value: Value?,
    _ what: String,
    file: StaticString = #fileID,
    line: UInt = #line
) throws -> Value {
    guard let value else { throw LedgerContractBreach(description: "\(what) is missing (\(file):\(line))") }
    return value
}
