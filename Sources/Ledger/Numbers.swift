// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing

/// Whose numbers, and of which time.
public struct NumbersQuery: Sendable {
    /// The app.
    public var app: String
    /// The user, or nil for all users.
    public var user: String?
    /// Accepted at or after; nil for no limit.
    public var from: Timestamp?
    /// Accepted before; nil for no limit.
    public var to: Timestamp?

    /// Makes a query.
    public init(app: String, user: String?, from: Timestamp? = nil, to: Timestamp? = nil) {
        self.app = app
        self.user = user
        self.from = from
        self.to = to
    }
}

/// The numbers of one method, of one user or of all; tasks that retention has deleted are still counted.
public struct Numbers: Sendable, Hashable {
    /// The user; nil for all users together, whose percentiles can't be told from those of each.
    public var user: String?
    /// The method.
    public var method: String
    /// Accepted and no job claimed yet.
    public var pending = 0
    /// Under way.
    public var running = 0
    /// Ended with an output.
    public var succeeded = 0
    /// Ended with an error.
    public var failed = 0
    /// Cancelled.
    public var cancelled = 0
    /// Ended by their deadline.
    public var timedOut = 0
    /// The median time from acceptance to success in milliseconds, of the tasks still in the ledger.
    public var p50Milliseconds: Double?
    /// The 95th percentile of the same.
    public var p95Milliseconds: Double?

    /// Makes empty numbers.
    public init(user: String?, method: String) {
        self.user = user
        self.method = method
    }
}

extension Numbers {
    /// Whose numbers and of which method, by bytes: Swift takes texts for equal that Unicode only holds to look alike.
    public struct Key: Sendable, Hashable {
        private let user: [UInt8]?
        private let method: [UInt8]

        /// Makes the key of a user's numbers, or of all users' together.
        public init(user: String?, method: String) {
            self.user = user.map { Array($0.utf8) }
            self.method = Array(method.utf8)
        }
    }

    /// The key of these numbers.
    public var key: Key { Key(user: user, method: method) }
}

/// What waits and runs for one service.
public struct ServiceLoad: Sendable, Hashable {
    /// The service.
    public var service: String
    /// Jobs that wait, due or not.
    public var waiting: Int
    /// Jobs that wait and are due.
    public var due: Int
    /// Jobs that run.
    public var running: Int

    /// Makes a load.
    public init(service: String, waiting: Int = 0, due: Int = 0, running: Int = 0) {
        self.service = service
        self.waiting = waiting
        self.due = due
        self.running = running
    }
}
