// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Ledger
import Plumbing
import Workflow

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The numbers by which the tables name states; never change one.
extension JobState {
    var code: Int16 {
        switch self {
        case .waiting: 0
        case .running: 1
        case .succeeded: 2
        case .failed: 3
        case .cancelled: 4
        case .timedOut: 5
        }
    }

    init(postgres code: Int) throws(LedgerError) {
        guard let state = JobState.allCases.first(where: { Int($0.code) == code }) else {
            throw LedgerError(.corrupt, "\(code) is not a job's state")
        }
        self = state
    }
}

extension Run.State {
    var postgresCode: Int16 {
        switch self {
        case .running: 1
        case .succeeded: 2
        case .failed: 3
        case .cancelled: 4
        case .timedOut: 5
        }
    }

    init(postgres code: Int) throws(LedgerError) {
        let states: [Run.State] = [.running, .succeeded, .failed, .cancelled, .timedOut]
        guard states.indices.contains(code - 1) else { throw LedgerError(.corrupt, "\(code) is not a run's state") }
        self = states[code - 1]
    }
}

extension CallbackRecord.State {
    var code: Int16 {
        switch self {
        case .pending: 0
        case .delivered: 1
        case .abandoned: 2
        }
    }

    init(postgres code: Int) throws(LedgerError) {
        let states: [CallbackRecord.State] = [.pending, .delivered, .abandoned]
        guard states.indices.contains(code) else { throw LedgerError(.corrupt, "\(code) is not a callback's state") }
        self = states[code]
    }
}

extension JobError {
    /// The error as JSON.
    var stored: [UInt8] {
        get throws(LedgerError) {
            do {
                return [UInt8](try JSONEncoder().encode(self))
            } catch {
                throw LedgerError(.misuse, "an error can't be encoded: \(error)")
            }
        }
    }

    init(stored bytes: [UInt8]) throws(LedgerError) {
        do {
            self = try JSONDecoder().decode(JobError.self, from: Data(bytes))
        } catch {
            throw LedgerError(.corrupt, "stored bytes are not an error: \(error)")
        }
    }
}

/// The headers of a callback as JSON: a list of pairs, so that order and repeated names stay.
enum StoredHeaders {
    static func encode(_ headers: [(name: String, value: String)]) throws(LedgerError) -> [UInt8] {
        do {
            return [UInt8](try JSONEncoder().encode(headers.map { [$0.name, $0.value] }))
        } catch {
            throw LedgerError(.misuse, "headers can't be encoded: \(error)")
        }
    }

    static func decode(_ bytes: [UInt8]) throws(LedgerError) -> [(name: String, value: String)] {
        let pairs: [[String]]
        do {
            pairs = try JSONDecoder().decode([[String]].self, from: Data(bytes))
        } catch {
            throw LedgerError(.corrupt, "stored bytes are not headers: \(error)")
        }
        guard pairs.allSatisfy({ $0.count == 2 }) else { throw LedgerError(.corrupt, "stored headers are not pairs") }
        return pairs.map { ($0[0], $0[1]) }
    }
}

extension Duration {
    /// Microseconds for a `bigint`, cut to 0 and a hundred years: more would overflow the server's interval.
    var postgresMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds < 3_155_760_000 else { return 3_155_760_000_000_000 }
        return max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}
