// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The numbers of the marketplace's status codes: `<PREFIX>_nnn`.
enum MarketplaceCode: String, Sendable {
    case success = "000"
    case pending = "001"
    case inProgress = "002"
    case invalid = "400"
    case notPermitted = "401"
    case notFound = "402"
    case unsupported = "403"
    case cancelled = "499"
    case timedOut = "500"
    case unknown = "501"
    case brokerAway = "502"
    case mediaAway = "504"
}
