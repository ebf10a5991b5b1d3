// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
public import Callbacks
public import Fairness
public import HTTPTransfer
public import Ledger
public import Logging
public import MediaStore
public import ResultStore

/// What a Service API is wired to.
public struct ServiceParts: Sendable {
    /// The truth.
    public var ledger: any Ledger
    /// The truth's clock: times that are given out are by it.
    public let clock: LedgerClock
    /// Carries tickets and completions.
    public var broker: any Broker
    /// Temporary results, events, hints.
    public var results: any ResultStore
    /// Media, and results too large to travel.
    public var media: any MediaStore
    /// Calls the operator's own upstreams.
    public var trustedHTTP: any HTTPTransferring
    /// Gives out the ranks of new jobs.
    public var ranking: FairRanking
    /// Holds requests and jobs against limits.
    public var limits: LimitGate
    /// Sends the webhooks of direct jobs.
    public var callbacks: CallbackSender
    /// Judges the webhooks that callers name.
    public var destinations: any DestinationRules
    /// The text of `/metrics`.
    public var metrics: @Sendable () -> String
    /// Where logs go.
    public var logger: Logger

    /// Makes the parts.
    ///
    /// - Parameter clock: nil for one that nobody else uses.
    public init(
        ledger: any Ledger,
        clock: LedgerClock? = nil,
        broker: any Broker,
        results: any ResultStore,
        media: any MediaStore,
        trustedHTTP: any HTTPTransferring,
        ranking: FairRanking,
        limits: LimitGate,
        callbacks: CallbackSender,
        destinations: any DestinationRules = NetworkPolicy.anywhere,
        metrics: @escaping @Sendable () -> String,
        logger: Logger
    ) {
        self.ledger = ledger
        self.clock = clock ?? LedgerClock(ledger)
        self.broker = broker
        self.results = results
        self.media = media
        self.trustedHTTP = trustedHTTP
        self.ranking = ranking
        self.limits = limits
        self.callbacks = callbacks
        self.destinations = destinations
        self.metrics = metrics
        self.logger = logger
    }
}
