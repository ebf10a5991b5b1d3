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

/// What an App API is wired to.
public struct AppParts: Sendable {
    /// The truth.
    public var ledger: any Ledger
    /// The truth's clock: times that are given out are by it.
    public let clock: LedgerClock
    /// Carries completions here.
    public var broker: any Broker
    /// The disposable store of results.
    public var results: any ResultStore
    /// The store of media.
    public var media: any MediaStore
    /// Sends to the operator's own receivers: any network.
    public var trustedHTTP: any HTTPTransferring
    /// Sends to clients' URLs: public networks and those that the operator allows.
    public var guardedHTTP: any HTTPTransferring
    /// Judges clients' URLs early, before a task is accepted.
    public var destinations: any DestinationRules
    /// Tells services of their jobs.
    public var handOver: any JobHandOver
    /// Gives out the ranks of new jobs.
    public var fairness: FairRanking
    /// Holds requests and tasks against limits.
    public var limits: LimitGate
    /// Serves signed media URLs, when the media store is one of files.
    public var signedMedia: (any SignedMedia)?
    /// Writes the metrics as Prometheus text.
    public var metricsText: @Sendable () async -> String
    /// Where logs go.
    public var logger: Logger

    /// Makes the parts.
    ///
    /// - Parameter fairness: nil for a ranking of this App API's own, in which all users weigh the same.
    /// - Parameter limits: without one, nothing is limited.
    public init(
        ledger: any Ledger,
        broker: any Broker,
        results: any ResultStore,
        media: any MediaStore,
        trustedHTTP: any HTTPTransferring,
        guardedHTTP: any HTTPTransferring,
        destinations: any DestinationRules,
        handOver: any JobHandOver,
        fairness: FairRanking? = nil,
        limits: LimitGate = LimitGate(),
        signedMedia: (any SignedMedia)? = nil,
        metricsText: @escaping @Sendable () async -> String = { "" },
        logger: Logger
    ) {
        self.ledger = ledger
        clock = LedgerClock(ledger)
        self.broker = broker
        self.results = results
        self.media = media
        self.trustedHTTP = trustedHTTP
        self.guardedHTTP = guardedHTTP
        self.destinations = destinations
        self.handOver = handOver
        self.fairness = fairness ?? FairRanking(ledger: ledger, logger: logger)
        self.limits = limits
        self.signedMedia = signedMedia
        self.metricsText = metricsText
        self.logger = logger
    }
}
