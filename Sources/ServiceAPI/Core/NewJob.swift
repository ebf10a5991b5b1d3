// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

import Plumbing
import Workflow

/// A direct job to be created, whichever dialect asked for it; its service is known.
struct NewJob: Sendable {
    /// The service that will run it.
    var service: ServiceDefinition
    /// The input.
    var input: JSON
    /// Whose it is and what it is.
    var labels: JobLabels
    /// How many failures end it; nil for the service's own number.
    var maxAttempts: Int?
    /// The time limit of one attempt; nil for the service's own.
    var timeout: Duration?
    /// When it is over, whatever happens; nil for never.
    var deadline: Timestamp?
    /// Not to be claimed before then.
    var runAfter: Timestamp?
    /// The W3C `traceparent` of the request.
    var trace: String?
    /// The name of the token that its caller showed, for its limits.
    var token: String?

    /// Whose share of the service it takes.
    var user: String { labels.user ?? labels.ownerService ?? "-" }
}
