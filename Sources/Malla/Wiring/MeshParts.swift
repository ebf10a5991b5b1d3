// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import AppAPI
import BrokerClient
import HTTPTransfer
import Ledger
import MediaStore
import ResultStore

/// The ports of one process, whichever adapters are behind them.
protocol MeshParts: Sendable {
    /// The truth.
    var ledger: any Ledger { get }
    /// Carries tickets and completions.
    var broker: any Broker { get }
    /// The disposable results.
    var results: any ResultStore { get }
    /// The media.
    var media: any MediaStore { get }
    /// Calls the operator's own addresses.
    var trustedHTTP: any HTTPTransferring { get }
    /// Calls clients' addresses, under the network rules.
    var guardedHTTP: any HTTPTransferring { get }
    /// Whether nobody outside this process can read ``results``.
    var keepsResultsToItself: Bool { get }
    /// What serves signed media URLs, when the media store does not.
    var signedMedia: (any SignedMedia)? { get }
}

extension MeshParts {
    /// Ends every connection; the broker first, so that nothing arrives that can't be recorded.
    func close() async {
        await broker.close()
        await results.close()
        await ledger.close()
    }
}
