// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import Plumbing
public import Workflow

/// What a worker is told: who it is, what it serves, and its times.
public struct WorkerSettings: Sendable {
    /// The worker's name; its id is the name plus a boot UUID.
    public var name: String
    /// The services it takes jobs of.
    public var services: [ServiceDefinition]
    /// How often it beats in the ledger.
    public var beatInterval: Duration = .seconds(2)
    /// How long running jobs may go on once it drains.
    public var drainTimeout: Duration = .seconds(30)
    /// How long it waits, when it drains, for its last completions to be settled.
    public var settleTimeout: Duration = .seconds(5)
    /// How long a ticket is held without a free slot; then it goes back to the queue, for a worker that has one.
    ///
    /// It must stay well below the broker's consumer timeout, and below the time that an idle worker may miss work.
    public var ticketHold: Duration = .milliseconds(500)
    /// How long temporary results live in the result store.
    public var resultTimeToLive: Duration = .seconds(3600)
    /// Whether results of jobs go to the result store as well; the APIs have them from the completions, others read them
    /// there.
    public var sharesResults = true
    /// After how long a completion that is not settled is sent again; the pause doubles up to a minute.
    public var resendInterval: Duration = .seconds(5)
    /// Results above this many bytes travel as media references.
    public var inlineLimit = Completion.inlineLimit
    /// The delays between calls while the ledger or the broker is away.
    public var retry = Backoff(base: .milliseconds(100), cap: .seconds(5))

    /// Makes settings with the defaults.
    public init(name: String, services: [ServiceDefinition]) {
        self.name = name
        self.services = services
    }
}
