// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

public import BrokerClient
public import Ledger
public import MediaStore
public import ResultStore

/// The four ports as a worker uses them.
public struct WorkerPorts: Sendable {
    /// The truth.
    public var ledger: any Ledger
    /// Tickets and completions.
    public var broker: any Broker
    /// Temporary results, progress, cancel hints.
    public var results: any ResultStore
    /// Media, and results too large to travel.
    public var media: any MediaStore

    /// Makes them.
    public init(ledger: any Ledger, broker: any Broker, results: any ResultStore, media: any MediaStore) {
        self.ledger = ledger
        self.broker = broker
        self.results = results
        self.media = media
    }
}
